from benchmarks import dedupe_material as material

ARTICLE = "The mill was built of stone from the river.\n\nIt ground rye for two hundred years."
HTML = f"""
<html><head><title>The old mill - Valley News</title><style>p {{}}</style></head><body>
<ul><li><a href="/">Home</a></li><li>Sports &amp; more</li></ul><script>var hidden = 1;</script>
<h1>The old mill</h1><p>{ARTICLE.splitlines()[0]}</p><p>{ARTICLE.splitlines()[2]}</p>
<div>Read <b>more</b> stories<br>Terms of use</div></body></html>
"""


def test_a_page_is_its_article_and_the_frame_around_it():
    page = material.page_of(HTML, ARTICLE)
    assert page.before == "Home\nSports & more"
    assert page.after == "Read more stories\nTerms of use"
    assert page.frame_words == 10
    assert page.around("Other.") == "Home\nSports & more\nOther.\nRead more stories\nTerms of use"


def test_a_page_without_its_article_is_all_before():
    page = material.page_of("<p>Nothing of it</p><p>stands here</p>", ARTICLE)
    assert (page.before, page.after) == ("Nothing of it\nstands here", "")


def test_visible_lines_know_blocks_from_words_within_a_line():
    lines, title = material.visible_lines("<title>A  b</title><p>one <i>two</i><br>three<p>four")
    assert lines == ["one two", "three", "four"]
    assert title == "A b"


def test_posts_have_a_body_and_a_signature():
    body, signature = "one two three four five six seven eight", "a b c d e f g h i j"
    post = f"From: x\n\n{body}\n-- \n{signature}\n"
    assert material.read_posts([post, f"From: x\n\n{body}", "no body"]) == [(body, signature)]


def test_paragraphs_and_sizes():
    assert material.paragraphs(" a b\n\n \n c\nd\n\n") == ["a b", "c\nd"]
    assert material.fits("a " * 60)
    assert not material.fits("a " * 59)
    assert not material.fits("a " * 2001)
