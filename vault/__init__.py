"""The vault: the secrets of flows in one encrypted file that workers read and a command writes.

It knows nothing of flows but what a secret may be called. Import the module that has what you
need.
"""
