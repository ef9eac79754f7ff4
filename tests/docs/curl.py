"""Does what the examples ask of curl, on a machine that has none: the options that they use."""

import argparse
import sys

import httpx


def main() -> int:
    """Send the request and print the answer; 22 where `-f` makes an error of a status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-d", dest="data")
    parser.add_argument("-f", dest="fail", action="store_true")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-S", action="store_true")
    parser.add_argument("-u", dest="user")
    parser.add_argument("-X", dest="method")
    asked = parser.parse_args()
    answer = httpx.request(
        asked.method or ("GET" if asked.data is None else "POST"),
        asked.url,
        content=asked.data,
        headers=[header.split(": ", 1) for header in asked.headers],
        auth=tuple(asked.user.split(":", 1)) if asked.user else None,
    )
    sys.stdout.write(answer.text)
    return 22 if asked.fail and answer.is_error else 0


sys.exit(main())
