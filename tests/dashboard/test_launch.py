"""How the dashboard is started: loopback, quiet, with its own look."""

from __future__ import annotations

import tomllib

from dashboard import ENTRANCE, SCRIPT, command


def test_the_command_line_is_complete() -> None:
    arguments = command(port=1234)
    assert arguments[1:5] == ["-m", "streamlit", "run", str(ENTRANCE)]
    assert {
        "--server.address=127.0.0.1",
        "--server.port=1234",
        "--server.fileWatcherType=none",
        "--browser.gatherUsageStats=false",
    } <= set(arguments)
    assert ENTRANCE.is_file()
    assert SCRIPT.parent == ENTRANCE.parent, "Streamlit reads the look beside what it is started with"


def test_the_settings_lie_where_streamlit_looks_and_have_both_themes() -> None:
    settings = tomllib.loads((ENTRANCE.parent / ".streamlit" / "config.toml").read_text("utf-8"))
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False
    light, dark = settings["theme"]["light"], settings["theme"]["dark"]
    assert set(light) == set(dark)
    assert light["backgroundColor"] != dark["backgroundColor"]


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_is_readable_on_what_it_stands_on() -> None:
    themes = tomllib.loads((ENTRANCE.parent / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
    for theme in (themes["light"], themes["dark"]):
        grounds = [theme["backgroundColor"], theme["secondaryBackgroundColor"]]
        pairs = [(theme["textColor"], ground) for ground in grounds]
        pairs += [(theme["grayTextColor"], ground) for ground in grounds]
        pairs += [(theme["linkColor"], ground) for ground in grounds]
        for hue in ("red", "green", "orange", "blue", "gray"):
            pairs.append((theme[f"{hue}TextColor"], theme[f"{hue}BackgroundColor"]))
        # Labels of buttons and chips are white, whatever the theme; chosen tabs have the colour on the page itself.
        for one, other in (("#ffffff", theme["primaryColor"]), (theme["primaryColor"], theme["backgroundColor"])):
            assert contrast(one, other) >= 4.0, f"{one} on {other}"
        for text, ground in pairs:
            assert contrast(text, ground) >= 4.5, f"{text} on {ground}: WCAG 2.2 asks for 4.5"
