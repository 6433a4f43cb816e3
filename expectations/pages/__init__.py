"""Self-contained HTML pages: Jinja2 templates that escape every value, one style sheet, no network."""

from expectations.pages.render import render_page, templates_in

__all__ = ["render_page", "templates_in"]
