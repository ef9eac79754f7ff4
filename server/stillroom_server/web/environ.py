"""Keys of our own in the environ of a request; no header can set them."""

REQUEST_ID = "stillroom.request_id"
"""The name of a request, for logs and for who has to find it there."""

ADMISSION = "stillroom.admission"
"""An `Admission`, for a request whose body has not been read."""

IDENTITY = "stillroom.identity"
"""The `Identity` that sent a request, or the error that tells why there is none."""

REFUSED_INDEX = "stillroom.refused_index"
"""What was asked about an index, and the error that refused it."""

HEALTH = frozenset({"/+live", "/+ready"})
"""Paths that probes ask, under whatever name or address they know the machine by."""

REFUSAL = "stillroom.refusal"
"""A status and a sentence, for a request that the engine cannot take."""
