"""Names of the list's parameters beside those of filters and search."""

# A column by name: which number it has differs from one choice of columns to the next.
SORT_VAR = "sort"
# A saved view by its key; `all` is the whole list, where a default view would open.
VIEW_VAR = "view"
ROWS_VAR = "rows"
