"""A server on loopback that answers as the Hugging Face Hub does, and its CDN."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fetch.servers import Handler, Server

LARGE = 10_000  # bytes; the Hub keeps weights and other large files with Git LFS


@dataclass
class Cdn(Server):
    """The storage that the Hub redirects to. Its addresses are signed, and it accepts no token of the Hub."""

    contents: dict[str, bytes] = field(default_factory=dict)

    def answer(self, request: Handler) -> None:
        name = urlsplit(request.path).path.strip("/")
        if "authorization" in self.seen[-1].headers:
            request.send(400, b"<Error>InvalidArgument</Error>")
        elif "Signature" not in parse_qs(urlsplit(request.path).query) or name not in self.contents:
            request.send(403, b"<Error>AccessDenied</Error>")
        else:
            request.send_file(self.contents[name], ETag=f'"{name}"')


@dataclass
class Repo:
    """A repository of the Hub: the files of each commit, and the commit of each branch and tag."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    gated: bool = False

    def push(self, folder: Path, branch: str = "main", **more: bytes) -> str:
        """Commit the files of a folder to a branch; return the commit."""
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        files |= {name.replace("__", "."): content for name, content in more.items()}
        listing = [(name, hashlib.sha256(files[name]).hexdigest()) for name in sorted(files)]
        commit = hashlib.sha1(repr((listing, len(self.commits))).encode()).hexdigest()
        self.commits[commit] = files
        self.refs[branch] = commit
        return commit


@dataclass
class Hub(Server):
    """The Hugging Face Hub, as far as huggingface_hub and `download` ask it."""

    cdn: Cdn = field(default_factory=Cdn)
    repos: dict[str, Repo] = field(default_factory=dict)

    def answer(self, request: Handler) -> None:
        path = urlsplit(request.path).path  # a branch `a/b` is one part of it, with its slash quoted
        info = re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        found = info or file
        if found is None:
            request.send_json({"error": "Sorry, we can't find the page you are looking for."}, 404)
            return
        repo, revision = found[1], unquote(found[2])
        if self.refuse(request, repo, revision, is_file=file is not None):
            return
        commit = self.repos[repo].refs.get(revision, revision)
        if file is None:
            blobs = parse_qs(urlsplit(request.path).query).get("blobs") == ["true"]
            request.send_json(describe(repo, commit, self.repos[repo].commits[commit], blobs))
        else:
            self.send(request, commit, unquote(file[3]), self.repos[repo].commits[commit])

    def refuse(self, request: Handler, name: str, revision: str, *, is_file: bool) -> bool:
        """Refuse as the Hub does; return whether it did."""
        given = request.headers.get("Authorization")
        repo = self.repos.get(name)
        is_known = given is None or given in [f"Bearer {each.token}" for each in self.repos.values()]
        if not is_known:
            words = "Invalid credentials in Authorization header"
            request.send_json({"error": words}, 401, X_Error_Message=words)
        elif repo is None or (repo.token and not repo.gated and given is None):
            words = "Invalid username or password." if given is None else "Repository not found"
            status = 401 if given is None else 404
            request.send_json({"error": words}, status, X_Error_Code="RepoNotFound", X_Error_Message=words)
        elif repo.gated and is_file and given != f"Bearer {repo.token}":
            words = f"Access to model {name} is restricted. You must be authenticated to access it."
            request.send_json({"error": words}, 401 if given is None else 403, X_Error_Code="GatedRepo")
        elif repo.refs.get(revision, revision) not in repo.commits:
            words = f"Invalid rev id: {revision}"
            request.send_json({"error": words}, 404, X_Error_Code="RevisionNotFound", X_Error_Message=words)
        else:
            return False
        return True

    def send(self, request: Handler, commit: str, name: str, files: dict[str, bytes]) -> None:
        """Send a small file, or redirect to the CDN for one that Git LFS keeps."""
        if name not in files:
            request.send_json({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
            return
        content = files[name]
        if len(content) < LARGE:
            request.send_file(content, ETag=f'"{name_blob(content)}"', X_Repo_Commit=commit)
            return
        digest = hashlib.sha256(content).hexdigest()
        self.cdn.contents[digest] = content
        linked = {"X_Linked_Size": str(len(content)), "X_Linked_ETag": f'"{digest}"', "X_Repo_Commit": commit}
        request.send(302, Location=f"{self.cdn.url}/{digest}?Signature=s3cret", **linked)


def name_blob(content: bytes) -> str:
    """Return the digest that git gives a file, as `git hash-object` prints it."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def describe(repo: str, commit: str, files: dict[str, bytes], blobs: bool) -> dict[str, Any]:
    """Return what the Hub says of a commit."""
    siblings = []
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        lfs = {"lfs": {"sha256": digest, "size": len(content), "pointerSize": 134}} if len(content) >= LARGE else {}
        more = {"size": len(content), "blobId": name_blob(b"pointer " + content if lfs else content), **lfs}
        siblings.append({"rfilename": name, **(more if blobs else {})})
    plain = {"private": False, "gated": False, "disabled": False, "downloads": 1, "likes": 0, "tags": ["gpt2"]}
    return {"_id": "621ffdc0", "id": repo, "modelId": repo, "sha": commit, **plain, "siblings": siblings}
