#!/bin/bash
# Bootstrap action: builds the jobs' Python environment and unpacks their code, on every node of a cluster.
#
#   bootstrap.sh --bundle s3://BUCKET/…/code/<code id>/ --venv DIR --code DIR [--archives s3://BUCKET/…/] [--build gpu]
#
# With --archives, the first node that builds an environment publishes it there as one archive, and later nodes unpack
# that in place of building: no package index is needed then. The oldest archive counts whose hash is its name, and a
# node may neither overwrite nor delete one: what a node that was taken over publishes later is looked at by nobody.
# One that is corrupt is passed over, and another made beside it. --build gpu takes TensorFlow with CUDA.
#
# Runs as user hadoop on Amazon Linux 2023 (python3 is 3.9 with pip, python3.11 is there without pip), and on any
# machine that has bash, flock, aws, python3 with pip and python3.11. The folders' names carry hashes of what is in
# them, so a folder with a READY file is right for ever: a second run finds it and ends. Nothing outside the two
# folders and their parent is written, but for the caches of pip and uv.
set -Eeuo pipefail
umask 022 # YARN's containers run as another user

readonly NEEDED_MB=3000 # the environment is 1.7 GB, and wheels are unpacked beside it
readonly LOCK_SECONDS=1200
readonly BUNDLE_FILES=(pyproject.toml uv.lock dermaflow_jobs.zip launch.py uv-requirements.txt)

phase=arguments
began=$SECONDS

# `in_phase NAME COMMAND`: says how long it took. Not to be joined by && or ||: that would switch off `set -e` inside.
in_phase() {
  local phase_began=$SECONDS
  phase=$1
  "$2"
  echo "bootstrap: $phase: $((SECONDS - phase_began)) s"
}

die() {
  trap - ERR
  echo "bootstrap: FAILED in phase '$phase' on $(hostname): $1" >&2
  [[ -z ${2:-} ]] || echo "bootstrap: what to do: $2" >&2
  exit 1
}
trap 'die "line $LINENO ended with code $?" "see the output above"' ERR

parse_arguments() {
  local usage="give --bundle URI --venv DIR --code DIR [--archives URI] [--build cpu|gpu]"
  bundle='' venv='' code='' archives='' build=cpu
  while (($#)); do
    case $1 in
      --bundle | --venv | --code | --archives | --build)
        (($# > 1)) || die "$1 has no value" "$usage"
        printf -v "${1#--}" '%s' "${2%/}"
        shift 2
        ;;
      *) die "unknown argument $1" "$usage" ;;
    esac
  done
  [[ $bundle == s3://* ]] || die "--bundle is '$bundle', not an s3:// URI" "give the folder code/<id>/ that the bundle was published to"
  [[ -z $archives || $archives == s3://* ]] || die "--archives is '$archives', not an s3:// URI" "$usage"
  [[ $build == cpu || $build == gpu ]] || die "--build is '$build'" "$usage"
  [[ $venv == /*/* && $code == /*/* ]] || die "--venv '$venv' and --code '$code' must be absolute" "give --venv DIR --code DIR"
  [[ ${venv%/*} == "${code%/*}" ]] || die "--venv and --code must have one parent folder" "give both below one environment root"
  root=${venv%/*}
}

# A venv whose interpreter was taken away is built anew.
ready() { [[ -f $venv/READY && -f $code/READY ]] && "$venv/bin/python" -c '' 2>/dev/null; }

check_root() {
  [[ ! -L $root ]] || die "$root is a symbolic link" "remove it, or name another environment_root"
  mkdir -p "$root" 2>/dev/null || die "cannot make $root" "name another environment_root that $(id -un) may write to"
  [[ -O $root && -w $root ]] || die "$root belongs to $(stat -c %U "$root"), not to $(id -un)" \
    "remove it, or name another environment_root: code from a folder that somebody else can change is not run"
}

lock_root() {
  command -v flock >/dev/null || die "flock is missing" "install util-linux"
  exec 9>"$root/.bootstrap.lock"
  flock -w "$LOCK_SECONDS" 9 || die "another bootstrap has held $root/.bootstrap.lock for $LOCK_SECONDS s" "end it, then try again"
}

check_machine() {
  local program free version
  for program in aws python3 sha256sum; do
    command -v "$program" >/dev/null || die "$program is missing" "use an EMR release on Amazon Linux 2023 (emr-7.*)"
  done
  command -v python3.11 >/dev/null || die "python3.11 is missing" "use emr-7.* (Amazon Linux 2023 has it), or install Python 3.11"
  version=$(python3.11 -c 'import sys; print("%d.%d" % sys.version_info[:2])') || die "python3.11 does not run" "reinstall Python 3.11"
  [[ $version == 3.11 ]] || die "python3.11 is Python $version" "install Python 3.11: the lock is for no other"
  free=$(df -Pm "$root" | awk 'NR == 2 { print $4 }')
  ((free >= NEEDED_MB)) || die "$free MB are free where $root is, $NEEDED_MB are needed" "give the nodes a larger EBS volume, or clear $root"
}

fetch_bundle() {
  local name
  aws s3 cp --recursive --only-show-errors "$bundle/" "$work/bundle/" || die "cannot read $bundle/" \
    "check that the code was published there and that the instance profile may s3:GetObject and s3:ListBucket"
  [[ -f $work/bundle/SHA256SUMS ]] || die "there is no $bundle/SHA256SUMS" "the code was not published there, or not to its end: publish it again"
  (cd "$work/bundle" && sha256sum --quiet --strict -c SHA256SUMS) || die "$bundle/ does not match its SHA256SUMS" \
    "the bundle is corrupt or incomplete: delete it and publish the code again"
  for name in "${BUNDLE_FILES[@]}"; do
    grep -q "  $name\$" "$work/bundle/SHA256SUMS" || die "SHA256SUMS does not list $name" "publish the code again"
  done
  check_id "${bundle##*/}"
}

# The last part of the URI is the bundle's id, and the id is the hash of SHA256SUMS: another bundle cannot stand there.
check_id() {
  local actual
  [[ $1 =~ ^[0-9a-f]{64}$ ]] || return 0
  actual=$(sha256sum <"$work/bundle/SHA256SUMS")
  [[ ${actual%% *} == "$1" ]] || die "the bundle's id is ${actual%% *}, not $1" "publish the code again"
}

# `try WHAT-TO-DO COMMAND…`: on failure names the cause where the output gives it away.
try() {
  local advice=$1 output
  shift
  if output=$("$@" 2>&1); then return 0; fi
  printf '%s\n' "$output" >&2
  case ${output,,} in
    *"no space left"*) die "the disk is full" "give the nodes a larger EBS volume, or clear $root" ;;
    *"hash mismatch"* | *"do not match the hashes"*) die "a package is not the one that was locked" "do not trust this index; lock again if it is right" ;;
    *"error sending request"* | *"name resolution"* | *"connection"* | *"network is unreachable"* | *"dns error"* | *"timed out"* | *"max retries"* | *"from versions: none"*)
      die "no network: the package index cannot be reached" "give the subnet a NAT gateway or a PyPI mirror (PIP_INDEX_URL, UV_DEFAULT_INDEX), or publish a built environment" ;;
    *) die "a command ended with an error: $*" "$advice" ;;
  esac
}

install_tools() {
  try "see the output of pip above" env -u PIP_USER -u PIP_TARGET python3 -m pip install --quiet --no-input --no-deps \
    --disable-pip-version-check --require-hashes --target "$work/tools" -r "$work/bundle/uv-requirements.txt"
}

build_venv() {
  local uv=$work/tools/bin/uv
  export UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=$venv UV_CACHE_DIR=${UV_CACHE_DIR:-$root/.uv-cache}
  rm -rf "$venv"
  try "see the output of uv above" "$uv" venv --quiet --no-project --python 3.11 "$venv"
  try "see the output of uv above" "$uv" sync --quiet --project "$work/bundle" --frozen --no-dev --extra runtime --extra "$build" --no-install-project
}

# Imports every package that the lock's runtime part names. Also leaves their byte code, which YARN's user could not.
check_imports() {
  check_packages import || die "the environment is built but does not import" \
    "see the traceback above; change jobs/pyproject.toml and lock again"
}

# `import` or, quicker, `present`.
check_packages() {
  TF_CPP_MIN_LOG_LEVEL=2 "$venv/bin/python" - "$work/bundle/pyproject.toml" "$1" "$build" <<'PYTHON'
import importlib
import re
import sys
import tomllib
from importlib import metadata

with open(sys.argv[1], "rb") as file:
    project = tomllib.load(file)["project"]
modules = {}
for module, distributions in metadata.packages_distributions().items():
    for distribution in distributions:
        modules.setdefault(re.sub(r"[-_.]+", "-", distribution).lower(), []).append(module)
extras = project["optional-dependencies"]
for requirement in project["dependencies"] + extras["runtime"] + extras[sys.argv[3]]:
    name = re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement).group()).lower()
    if name not in modules and ";" in requirement:
        continue  # for another platform
    for module in modules[name]:
        if sys.argv[2] == "import" and not module.startswith("_"):
            importlib.import_module(module)
    print(f"bootstrap: {name} {metadata.version(name)}")
PYTHON
}

# Archives hold links to this machine's Python and modules built for it: one place for each lock, architecture and Python.
archive_place() {
  local environment pythons
  environment=$(cd "$work/bundle" && cat pyproject.toml uv.lock uv-requirements.txt | sha256sum)
  pythons=$({
    python3.11 -c 'import sys; print(sys.version, sys.base_prefix)'
    python3 -c 'import sys; print(sys.version_info[:2])'
  } | sha256sum)
  echo "$archives/${environment:0:16}-$(uname -m)-$build-${pythons:0:8}"
}

# Fails where there is no archive, or none that is whole. `aws s3 ls` gives date, time, size and name.
unpack_archive() {
  local listing tools archive
  listing=$(aws s3 ls "$place/" 2>/dev/null | sort) || return 1
  mkdir -p "$work/archive" "$work/tools"
  tools=$(fetch_oldest .tools.tar.gz <<<"$listing") || return 1
  archive=$(fetch_oldest .tar.zst <<<"$listing") || return 1
  rm -rf "$venv"
  mkdir -p "$venv"
  tar -C "$work/tools" -xzf "$tools" || refuse "$tools" "cannot be unpacked" || return 1
  zstd decompress <"$archive" | tar -C "$venv" -xf - || refuse "$archive" "cannot be unpacked" || return 1
  check_packages present || refuse "$archive" "does not hold every package"
}

# `fetch_oldest ENDING <LISTING`: the path of the first whose SHA-256 is its name.
fetch_oldest() {
  local name hash
  while read -r _ _ _ name; do
    [[ $name == *"$1" ]] || continue
    aws s3 cp --only-show-errors "$place/$name" "$work/archive/$name" >&2 || continue
    hash=$(sha256sum <"$work/archive/$name")
    if [[ $name == "${hash%% *}$1" ]]; then
      echo "$work/archive/$name"
      return
    fi
    refuse "$name" "its hash is ${hash%% *}" || continue
  done
  return 1
}

refuse() {
  echo "bootstrap: $place/$(basename "$1") is refused: $2; delete it if you can" >&2
  rm -rf "$work/archive/${1##*/}" "$venv"
  return 1
}

# On a cluster the primary node alone publishes. That it could not is no reason to fail: the environment is there.
publish_archive() {
  local file hash
  if grep -qs '"isMaster": *false' /mnt/var/lib/info/instance.json; then return; fi
  mkdir "$work/publish"
  tar -C "$work/tools" --exclude ./bin --exclude './uv*' -czf "$work/publish/tools.tar.gz" .
  # TensorFlow's C++ headers are a quarter of its files, and nothing is compiled on a node.
  tar -C "$venv" -cf - --exclude ./READY --exclude '*/site-packages/tensorflow/include' . | zstd compress >"$work/publish/tar.zst"
  for file in tools.tar.gz tar.zst; do # the archive last: with it the place is complete
    hash=$(sha256sum <"$work/publish/$file")
    put_once "$work/publish/$file" "$place/${hash%% *}.$file" ||
      echo "bootstrap: $place/ could not be written: the next cluster builds its environment too" >&2
  done
}

# The bucket's policy lets nobody write below code/ who does not say that nothing must be there yet.
put_once() {
  local bucket=${2#s3://}
  aws s3api put-object --bucket "${bucket%%/*}" --key "${bucket#*/}" --body "$1" --if-none-match '*' >/dev/null
}

# Amazon Linux has the library but not always the program.
zstd() {
  PYTHONPATH=$work/tools python3 -c '
import sys, zstandard
source, target = sys.stdin.buffer, sys.stdout.buffer
if sys.argv[1] == "compress":
    zstandard.ZstdCompressor(level=3, threads=-1).copy_stream(source, target)
else:
    zstandard.ZstdDecompressor().copy_stream(source, target)
' "$1"
}

make_environment() {
  if [[ -n $archives ]]; then
    place=$(archive_place)
    local phase_began=$SECONDS
    phase=archive
    if unpack_archive; then
      echo "bootstrap: archive: $((SECONDS - phase_began)) s"
      return
    fi
  fi
  in_phase tools install_tools
  in_phase environment build_venv
  in_phase imports check_imports
  [[ -z $archives ]] || in_phase publish publish_archive
}

unpack_code() {
  rm -rf "$code" "$code.part"
  mkdir "$code.part"
  python3.11 -m zipfile -e "$work/bundle/dermaflow_jobs.zip" "$code.part" || die "dermaflow_jobs.zip cannot be unpacked" "publish the code again"
  [[ -f $code.part/dermaflow_jobs/__init__.py ]] || die "dermaflow_jobs.zip holds no dermaflow_jobs/__init__.py" "publish the code again"
  cp "$work/bundle/launch.py" "$code.part/"
  echo "$bundle" >"$code.part/READY"
  mv "$code.part" "$code"
}

main() {
  parse_arguments "$@"
  phase=check
  if ready; then
    echo "bootstrap: $venv and $code are ready"
    return
  fi
  check_root
  lock_root
  if ready; then
    echo "bootstrap: $venv and $code were made ready by another node of this machine"
    return
  fi
  work=$(mktemp -d "$root/.work-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  in_phase machine check_machine
  in_phase fetch fetch_bundle
  if [[ ! -f $venv/READY ]] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    make_environment
    echo "$bundle" >"$venv/READY"
  fi
  in_phase code unpack_code
  echo "bootstrap: done in $((SECONDS - began)) s"
}

main "$@"
