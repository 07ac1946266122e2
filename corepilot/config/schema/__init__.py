"""The settings, each written once: fields, sections, and the reference page made from them."""
