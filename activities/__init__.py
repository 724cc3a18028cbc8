"""Effects: the node types that do something, and the activities that perform them.

One package per family of node types, each type declared in a module's tuple `NODE_TYPES`;
`activities.catalogue` names them all. Importing a declaration loads no library its handler needs.
"""
