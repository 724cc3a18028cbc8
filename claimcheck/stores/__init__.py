"""Where blobs are kept: one contract, and the stores that fulfil it.

Nothing heavy is imported here: boto3 comes with the first use of an `S3Store`.
"""

from claimcheck.stores.contract import CHUNK, BlobStore, StoredBlob
from claimcheck.stores.filesystem import FilesystemStore
from claimcheck.stores.memory import MemoryStore
from claimcheck.stores.s3 import S3Store

__all__ = ["CHUNK", "BlobStore", "FilesystemStore", "MemoryStore", "S3Store", "StoredBlob"]
