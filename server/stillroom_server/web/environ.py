"""Keys of our own in the environ of a request; no header can set them."""

REQUEST_ID = "stillroom.request_id"
"""The name of a request, for logs and for who has to find it there."""

ADMISSION = "stillroom.admission"
"""An `Admission`, for a request whose body has not been read."""

REFUSAL = "stillroom.refusal"
"""A status and a sentence, for a request that the engine cannot take."""
