"""Transfers the files of one commit from the Hugging Face Hub to the cache."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from huggingface_hub import constants, get_session, hf_hub_url
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from gpt2forge import __version__
from gpt2forge.checkpoint.format import Wanted
from gpt2forge.fetch.address import HubAddress
from gpt2forge.fetch.answer import parse_extent
from gpt2forge.fetch.choose_files import choose_files
from gpt2forge.fetch.download import check_room, download
from gpt2forge.fetch.fetched import Fetched, has_size, read_record, write_record
from gpt2forge.fetch.hub.hub_cache import CachedRepo
from gpt2forge.fetch.hub.hub_errors import explained
from gpt2forge.fetch.hub.hub_listing import Listing
from gpt2forge.fetch.part import has_content, measure, name_part
from gpt2forge.fetch.remote_file import RemoteFile, Reply
from gpt2forge.fetch.transfer import Advance, Transfer, hold


@dataclass(frozen=True)
class HubTransfer:
    """Fetches the files of one commit to the cache."""

    address: HubAddress
    listing: Listing
    cache: CachedRepo

    def fetch(self, wanted: Wanted, advance: Advance) -> Fetched:
        """Fetch the files that are not in the cache yet, and note the commit (rules 3 to 5)."""
        transfer, folder = Transfer(advance), self.cache.snapshot(self.listing.commit)
        with hold(self.cache.lock):
            names = choose_files(
                folder,
                set(self.listing.files),
                wanted=wanted,
                address=str(self.address),
                fetch=partial(self.bring, transfer=transfer),
            )
            self.clear_damaged(names, Transfer(advance))
            missing = [name for name in names if not self.find_place(name).is_file()]
            transfer.begin(sum(self.measure_rest(name) for name in missing))
            check_room(self.cache.folder, transfer.total, str(self.address))
            for name in sorted(missing, key=lambda name: -self.listing.files[name].size):  # a large one tells the rate
                self.bring(name, transfer)
            self.cache.write_commit(self.address, self.listing.commit)
        sizes = {name: self.listing.files[name].size for name in names}
        write_record(self.address, commit=self.listing.commit, folder=folder, files=sizes)
        return Fetched(str(self.address), folder, self.listing.commit, fetched=transfer.received)

    def clear_damaged(self, names: Iterable[str], check: Transfer) -> None:
        """Remove from the cache what is not as the listing says. Files that are recorded were checked before."""
        record = read_record(self.address)
        recorded = record.files if record and record.commit == self.listing.commit else {}
        unknown = [name for name in names if not (name in recorded and self.is_whole(name))]
        check.begin(sum(measure(path) for name in unknown for path in self.list_contents(name)))
        for name in unknown:
            for path in self.list_contents(name):
                if path.is_file() and not has_content(self.describe(name), path, check.count):
                    path.unlink()

    def is_whole(self, name: str) -> bool:
        return has_size(self.find_place(name), self.listing.files[name].size)

    def list_contents(self, name: str) -> set[Path]:
        """Return where the content of a file may lie: a blob, or a file of the snapshot where the disk has no links."""
        return {self.find_blob(name), self.find_place(name).resolve()}

    def measure_rest(self, name: str) -> int:
        """Return how many bytes of a file are still to receive."""
        blob, size = self.find_blob(name), self.listing.files[name].size
        return 0 if blob.is_file() else max(0, size - measure(name_part(blob)))

    def bring(self, name: str, transfer: Transfer) -> None:
        """Put a file into its place; it is not transferred if its content is in the cache."""
        blob = self.find_blob(name)
        if not blob.is_file():
            download(self.describe(name), blob, transfer.count)
        self.cache.link(blob, self.find_place(name))

    def find_blob(self, name: str) -> Path:
        return self.cache.blob(self.listing.files[name].blob)

    def find_place(self, name: str) -> Path:
        return self.cache.snapshot(self.listing.commit) / name

    def describe(self, name: str) -> RemoteFile:
        """Return a file of the listing as one to download."""
        listed = self.listing.files[name]
        return RemoteFile(
            name=f"`{self.address}`: {name}",
            open_at=partial(open_file, self.address, self.listing.commit, name),
            size=listed.size,
            sha256=listed.sha256,
            git_id=listed.git_id,
        )


@contextmanager
def open_file(address: HubAddress, commit: str, name: str, offset: int) -> Iterator[Reply]:
    """Ask the Hub for a file from an offset on. The token goes to the Hub alone, not where it redirects to."""
    known = build_hf_headers(library_name="gpt2forge", library_version=__version__)
    headers = {**known, "Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}
    url, timeout = hf_hub_url(address.repo, name, revision=commit), constants.HF_HUB_DOWNLOAD_TIMEOUT
    with explained(address), get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
        hf_raise_for_status(response)
        start, total = parse_extent(response.status_code, response.headers)
        yield Reply(start, total, response.iter_bytes())  # in pieces as they arrive: a cut loses none
