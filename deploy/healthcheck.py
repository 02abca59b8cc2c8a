"""healthcheck.py PORT: exit 0 if the process on this port answers /healthz, else 1.

Asks under a name from ALLOWED_HOSTS: Django answers any other with 400.
"""

import http.client
import os
import sys


def allowed_host() -> str:
    """Return a host name that the console answers to."""
    first = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip()
    return first.lstrip(".") if first not in {"", "*"} else "localhost"


def main(port: int) -> int:
    """Ask once, on loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/healthz", headers={"Host": allowed_host()})
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException) as exc:
        sys.stderr.write(f"no answer on port {port}: {exc}\n")
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
