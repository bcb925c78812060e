"""clang-tidy over the files named, with the compile commands of build/, two steps a file:

what the compiler would read (preprocessed, comments kept) together with the checks and the version of clang-tidy makes a
key; a file whose key has been found clean before is not read again. The keys lie in $XDG_CACHE_HOME/trivet/tidy (or
~/.cache/trivet/tidy) and go after 30 days without use.

Exit code: 0 when every file is clean.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

CLANG_TIDY = "clang-tidy-19"
CLANG = "clang++-19"
KEPT_SECONDS = 30 * 24 * 3600
ROOT = pathlib.Path(__file__).resolve().parent.parent


def preprocessor_command(entry: dict) -> list[str]:
    """The compile command with the preprocessor of clang-tidy's own front end in the compiler's place."""
    result = [CLANG, "-E", "-C", "-w"]
    skip = False
    for word in shlex.split(entry["command"])[1:]:
        if skip:
            skip = False
        elif word == "-o":
            skip = True
        elif word not in ("-c", "-Werror"):
            result.append(word)
    return result


class Checker:
    def __init__(self, files: list[str]):
        database = json.loads((ROOT / "build" / "compile_commands.json").read_text(encoding="utf-8"))
        self.entries = {entry["file"]: entry for entry in database}
        self.files = files
        version = subprocess.run([CLANG_TIDY, "--version"], check=True, capture_output=True).stdout
        self.common = version + (ROOT / ".clang-tidy").read_bytes()
        base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        self.cache = pathlib.Path(base) / "trivet" / "tidy"
        self.cache.mkdir(parents=True, exist_ok=True)

    def key(self, file: str) -> str | None:
        entry = self.entries.get(str(ROOT / file))
        if entry is None:
            return None
        read = subprocess.run(preprocessor_command(entry), cwd=entry["directory"], capture_output=True, check=False)
        if read.returncode != 0:
            return None
        # Clones in other folders share what they know.
        text = read.stdout.replace(str(ROOT).encode(), b".")
        return hashlib.sha256(self.common + file.encode() + b"\0" + text).hexdigest()

    def check(self, file: str) -> tuple[str, bool, bool, str]:
        """File, is it clean, was that known, what clang-tidy says."""
        key = self.key(file)
        if key is not None and (self.cache / key).exists():
            os.utime(self.cache / key)
            return file, True, True, ""
        run = subprocess.run(
            [CLANG_TIDY, "-p", "build", "--quiet", "--extra-arg=-Wno-unknown-warning-option", file],
            cwd=ROOT, capture_output=True, text=True, check=False)
        clean = run.returncode == 0
        if clean and key is not None:
            (self.cache / key).touch()
        return file, clean, False, "" if clean else run.stdout + run.stderr

    def forget_old(self) -> None:
        limit = time.time() - KEPT_SECONDS
        for entry in self.cache.iterdir():
            if entry.stat().st_mtime < limit:
                entry.unlink(missing_ok=True)


def main() -> int:
    checker = Checker(sys.argv[1:])
    checker.forget_old()
    bad = known = 0
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for number, (file, clean, was_known, text) in enumerate(pool.map(checker.check, checker.files), start=1):
            known += was_known
            bad += not clean
            state = "clean, as before" if was_known else "clean" if clean else "NOT CLEAN"
            print(f"[{number}/{len(checker.files)}] {file}: {state}", flush=True)
            if text:
                print(text, flush=True)
    print(f"{len(checker.files)} files, {bad} with findings, {known} unchanged since they were found clean")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
