"""What is wrong with a configuration, and where: problems, their places, and the lines that are shown."""
