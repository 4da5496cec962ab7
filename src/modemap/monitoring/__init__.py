"""Is a window of rows still like those a release learned from? One detector a module, no labels."""
