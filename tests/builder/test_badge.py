"""Badges as XML."""

from xml.etree import ElementTree

from gpt2forge.builder.badge import BAD, GOOD, draw_badge

SVG = "{http://www.w3.org/2000/svg}"


def test_badge_is_xml_with_both_texts_inside_its_width() -> None:
    root = ElementTree.fromstring(draw_badge("gpt2forge", 'size -76% & "wait" <50%: pass', is_good=True))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["gpt2forge", 'size -76% & "wait" <50%: pass']
    last = list(root.iter(f"{SVG}text"))[-1]
    assert float(last.attrib["x"]) + float(last.attrib["textLength"]) < float(root.attrib["width"])


def test_colour_shows_the_verdict() -> None:
    assert GOOD in draw_badge("a", "b", is_good=True)
    assert BAD in draw_badge("a", "b", is_good=False)
