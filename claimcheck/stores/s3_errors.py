"""What the errors of boto3 mean, in words for who runs the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from claimcheck.errors import StoreFull, StoreRefused, StoreUnavailable

__all__ = ["ClientError", "explained", "not_a_listing", "status_of"]

_NEEDED: Final = (
    "it must allow s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and, for "
    "the bucket, s3:ListBucket"
)
_KEY: Final = (
    "does not know the access key: set BLOB_STORAGE_ACCESS_KEY_ID to one that is valid there"
)
_SECRET: Final = (
    "found the signature wrong: BLOB_STORAGE_SECRET_ACCESS_KEY does not belong to "
    "BLOB_STORAGE_ACCESS_KEY_ID"
)
_EXPIRED: Final = "does not take the credentials any more: they have expired; renew them"
_CLOCK: Final = "has another time than this machine: set the clock"
_DENIED: Final = f"does not permit this to the holder of the access key: {_NEEDED}"
_BUCKET: Final = "does not exist: make it, or set BLOB_STORAGE_BUCKET to one that does"
_BUCKET_NAME: Final = "cannot be: BLOB_STORAGE_BUCKET is not the name of a bucket"
_REGION: Final = "is not in that region: set BLOB_STORAGE_REGION (for R2: auto)"
_ELSEWHERE: Final = "is elsewhere: set BLOB_STORAGE_REGION, or BLOB_STORAGE_ENDPOINT"
_NOT_S3: Final = (
    "does not answer as S3 does: set BLOB_STORAGE_ENDPOINT to the address of the store's API, not "
    "to that of its web pages or of something else"
)
_NO_CREDENTIALS: Final = (
    "needs credentials: set BLOB_STORAGE_ACCESS_KEY_ID and BLOB_STORAGE_SECRET_ACCESS_KEY, or "
    "give them as the tools of AWS take them"
)

_REFUSED: Final = {
    "InvalidAccessKeyId": _KEY,
    "SignatureDoesNotMatch": _SECRET,
    "ExpiredToken": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": _CLOCK,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "Unauthorized": _DENIED,
    "NoSuchBucket": _BUCKET,
    "InvalidBucketName": _BUCKET_NAME,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "InvalidRegionName": _REGION,
    "PermanentRedirect": _ELSEWHERE,
    "TemporaryRedirect": _ELSEWHERE,
    "EntityTooLarge": "does not take a value of this size",
    "MethodNotAllowed": _NOT_S3,
    "NotImplemented": _NOT_S3,
}
_FULL: Final = ("InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity")
_BY_STATUS: Final = {
    **dict.fromkeys((301, 307), _ELSEWHERE),
    **dict.fromkeys((401, 403), _DENIED),
    **dict.fromkeys((302, 303, 308, 404, 405, 411, 415, 501), _NOT_S3),
}
_SHOWN: Final = 200


def status_of(error: ClientError) -> int:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status)


def not_a_listing(page: Mapping[str, object], place: str) -> StoreRefused | None:
    """A web page is read as a listing with nothing in it."""
    known = {"Name", "KeyCount", "IsTruncated"} & page.keys()
    return None if known else StoreRefused(f"{place} {_NOT_S3}")


def explained(error: Exception, place: str) -> StoreUnavailable | None:
    """None for what is no error of boto3's, or one of how we use it."""
    if isinstance(error, ClientError):
        return _answered(error, place)
    if isinstance(error, boto.SSLError):
        return StoreRefused(
            f"{place} has a certificate that is not trusted here: check BLOB_STORAGE_ENDPOINT, or "
            "set AWS_CA_BUNDLE to the certificates to trust"
        )
    if isinstance(error, _NO_CREDENTIALS_ERRORS):
        return StoreRefused(f"{place} {_NO_CREDENTIALS} ({_said(error)})")
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        return StoreUnavailable(
            f"{place} cannot be reached: check BLOB_STORAGE_ENDPOINT and the network"
            f"{_reason(error)}"
        )
    if isinstance(error, boto.ProxyConnectionError):
        return StoreUnavailable(f"{place} cannot be reached through the proxy: check HTTPS_PROXY")
    if isinstance(error, ResponseParserError):
        return StoreRefused(f"{place} {_NOT_S3}")
    if isinstance(error, boto.ParamValidationError):
        return StoreRefused(f"{place} {_BUCKET_NAME}")
    if isinstance(error, boto.BotoCoreError | HTTPError | OSError):
        return StoreUnavailable(f"{place} did not answer to the end ({_said(error)})")
    if isinstance(error, ValueError) and "endpoint" in str(error):
        return StoreRefused(f"{place} has no address: BLOB_STORAGE_ENDPOINT is not a URL")
    if isinstance(error, ValueError | KeyError):  # what boto3 finds in the answer, or misses
        return StoreUnavailable(f"{place} {_NOT_S3} ({_said(error)})")
    return None


_NO_CREDENTIALS_ERRORS: Final = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.ProfileNotFound,
    boto.SSOError,
    boto.LoginError,
)


def _answered(error: ClientError, place: str) -> StoreUnavailable:
    code, status = error.response.get("Error", {}).get("Code", ""), status_of(error)
    if status == 507 or code in _FULL:
        return StoreFull(f"{place} has no room left: make room there, or raise its quota")
    if (meaning := _REFUSED.get(code) or _BY_STATUS.get(status)) is not None:
        return StoreRefused(f"{place} {meaning} ({code or status})")
    if status in (429, 503):
        return StoreUnavailable(f"{place} asks for fewer requests ({code or status})")
    told = code if code != str(status) else ""  # which botocore makes up where there is none
    parts = (str(status), told, error.response.get("Error", {}).get("Message", "")[:_SHOWN])
    return StoreUnavailable(f"{place} answered with an error ({': '.join(filter(None, parts))})")


def _reason(error: BaseException | None) -> str:
    """What the operating system said, which stands below what others have made of it."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return f" ({error.strerror})"
        error = error.__cause__ or error.__context__
    return ""


def _said(error: Exception) -> str:
    return str(error)[:_SHOWN]
