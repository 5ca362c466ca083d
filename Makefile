# What ./run does, for those who type make. `make help` prints the lines with two hashes.
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help play test check bench docs setup wheel

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo "ARGS=... hands options on: make play ARGS='--latency jam'"

play:  ## endless music (sets up what it needs, the first time)
	@./run play $(ARGS)

test:  ## the tests
	@./run test $(ARGS)

check:  ## lint, format and types
	@./run check

bench:  ## the numbers of docs/benchmarks.md, measured here ("attacca bench" is the short verdict)
	@./run numbers $(ARGS)

docs:  ## make the generated pages again
	@./run docs

setup:  ## only the set-up, done anew
	@./run setup $(ARGS)

wheel:  ## a wheel in dist/, with the shipped pack inside
	@./run wheel
