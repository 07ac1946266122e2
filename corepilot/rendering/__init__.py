"""Files that are made from what watches have found, in a process of its own for each: templates and disks take time."""
