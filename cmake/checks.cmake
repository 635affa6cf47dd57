# Checks of the house that run with the build.
