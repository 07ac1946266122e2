"""`corepilot migrate`: how corepilot differs for a file of version 3, and version 2 turned into version 3.

Read in this order: `command` (what is typed and printed); for version 3 `differences` (the list) and `rules` (which of
them a file has to do with); for version 2 `masking`, `outline` and `reading` (the file, templates and all),
`conversion` with `checks` and `lifecycle` (what becomes of its parts), and `layout` (how it is written).
"""
