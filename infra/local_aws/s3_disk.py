from __future__ import annotations

from pathlib import Path
from typing import Any


class S3Disk:
    def __init__(self, folder: Path) -> None:
        pass

    def reload(self) -> None:
        pass

    def written_through(self, app: Any, environ: dict[str, Any], start_response: Any) -> Any:
        return app(environ, start_response)
