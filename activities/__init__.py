"""Effects: the node types that do something, and the activities that perform them.

One module per family of node types, each declaring its types in a tuple; `activities.catalogue`
names the families. Importing a declaration loads no library its handler needs.
"""
