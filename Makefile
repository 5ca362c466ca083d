# Runs ./run. `make help` prints the lines with two hashes.
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help play test check bench docs setup wheel

help:  ## print this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo "ARGS=... passes options: make play ARGS='--latency jam'"

play:  ## play endless music (the first time, install what it needs)
	@./run play $(ARGS)

test:  ## run the tests
	@./run test $(ARGS)

check:  ## check lint, format and types
	@./run check

bench:  ## measure the numbers of docs/benchmarks.md here ("attacca bench" is shorter)
	@./run numbers $(ARGS)

docs:  ## regenerate the generated pages
	@./run docs

setup:  ## repeat the set-up only
	@./run setup $(ARGS)

wheel:  ## build a wheel in dist/, with the shipped pack
	@./run wheel
