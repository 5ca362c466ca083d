"""What is sent, byte for byte, is what python-osc's own builder makes of it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from pythonosc.osc_message_builder import OscMessageBuilder

from osc.packets import message, read

# Without 0, which ends a string: python-osc's builder cannot read one with it back.
plain = st.one_of(
    st.floats(width=32), st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(min_codepoint=1, codec="ascii")),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9),
    st.booleans(), st.binary(min_size=1, max_size=9),
)  # fmt: skip


@given(st.lists(plain, max_size=5))
@example([2**31 - 1, -(2**31)])
@example([2**31, -(2**31) - 1])
@example([True, 0.5, "", b"x"])
def test_messages_are_the_builders(arguments):
    builder = OscMessageBuilder("/a/b")
    for argument in arguments:
        builder.add_arg(int(argument) if isinstance(argument, bool) else argument)
    assert message("/a/b", *arguments) == builder.build().dgram


@given(st.floats(width=32, allow_nan=False), st.text(st.characters(min_codepoint=1, codec="ascii")))
def test_they_are_read_back(number, text):
    (one,) = read(message("/x", number, text, 7))
    assert one.arguments == (number, text, 7)
