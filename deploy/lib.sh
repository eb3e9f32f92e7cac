# Shared by all scripts here: system packages, Python, and the virtual environment.
# Sourced, never run. Expects `root` to hold the absolute path of the repository.
# shellcheck shell=bash
# shellcheck disable=SC2154

venv="$root/.venv"
python="$venv/bin/python"

# The version the tests were run with, and without CUDA: a bare `torch` brings gigabytes of it on x86.
torch_version=2.13.0
torch_cpu_index=https://download.pytorch.org/whl/cpu

# What systemd-python is built with: it comes as source alone.
# shellcheck disable=SC2034
systemd_packages=(libsystemd-dev pkg-config gcc python3-dev)

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Prints what stands at the top of the script that was called, for --help.
usage() { sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//p}' "$0" >&2; }

# Ends a script that was called wrongly.
misused() {
    say "$*"
    exit 2
}

# Waits for any other set-up of the same folder. The lock is on the folder itself, so it leaves no file behind.
lock() {
    exec 9<"$root"
    if ! flock --nonblock 9; then
        say "Another set-up of $root is running; waiting for it to finish."
        flock 9
    fi
}

unlock() { exec 9<&-; }

# Runs a command as root: directly, or through sudo without a password. sudo clears the proxy settings, so they are
# handed over by name.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
        return
    fi
    local kept=() name
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        [ -z "${!name:-}" ] || kept+=("$name=${!name}")
    done
    sudo -n env "${kept[@]}" "$@"
}

may_be_root() { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Prints those of the named Debian packages that are missing, one a line.
missing_of() {
    local package
    for package in "$@"; do
        installed "$package" || printf '%s\n' "$package"
    done
}

# Installs those of the named Debian packages that are missing. Never ends the script: what cannot be installed is
# said in one sentence, and the caller goes on with what there is.
apt_install() {
    local missing
    mapfile -t missing < <(missing_of "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "This machine has no apt-get: please install what Debian calls ${missing[*]}; going on without."
        return 0
    fi
    local by_hand="apt-get update && apt-get install -y ${missing[*]}"
    if ! may_be_root; then
        say "Some system packages are missing and may not be installed from here: an administrator should run" \
            "'$by_hand'; going on without."
        return 0
    fi
    say "Installing system packages: ${missing[*]}."
    # Ten minutes of patience for the lock, because a fresh machine updates itself right after its first boot.
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600)
    as_root "${apt[@]}" update || say "apt-get update complained; trying with the package lists there are."
    as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null ||
        say "Some system packages could not be installed: an administrator should look at '$by_hand'; going on without."
}

# Prints the first Python that is new enough and can make virtual environments.
find_python() {
    local candidate
    for candidate in python3 python3.11 python3.12 python3.13; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

pip_install() {
    local quiet=(--quiet)
    [ ! -t 2 ] || quiet=()
    "$python" -m pip --disable-pip-version-check install "${quiet[@]}" "$@" >&2
}

# Three places, in this order: wherever pip is set up to look, PyTorch's own index without CUDA, and last PyPI as it is.
install_torch() {
    "$python" -c "import torch, sys; sys.exit(torch.__version__.split('+')[0] != '$torch_version')" 2>/dev/null && return
    pip_install "torch==$torch_version+cpu" 2>/dev/null ||
        pip_install --index-url "$torch_cpu_index" --retries 1 --timeout 20 "torch==$torch_version+cpu" 2>/dev/null ||
        pip_install "torch==$torch_version"
}

# Through systemd-python the services speak to the journal. `latent play` needs none of it, so where it cannot
# be had that is said and no more.
install_systemd() {
    "$python" -c 'import systemd.daemon' 2>/dev/null && return
    if ! pkg-config --exists libsystemd 2>/dev/null || ! pip_install -e "${root}[systemd]" 2>/dev/null; then
        say "Going on without systemd-python: what the services say has no fields in the journal then. Building it needs" \
            "what Debian calls ${systemd_packages[*]}."
    fi
}

# Knobs on pins and MIDI go through compiled libraries. Where neither a wheel nor a compiler is to be had, that is said,
# and the rest plays.
install_hands() {
    local extra module needs
    while read -r extra module needs; do
        "$python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$module') is None)" && continue
        pip_install -e "${root}[$extra]" 2>/dev/null ||
            say "Going on without $module, so nothing on ${extra^^} will be heard: building it needs what Debian calls $needs."
    done <<'EOF'
gpio lgpio swig gcc python3-dev
midi rtmidi g++ python3-dev libasound2-dev libjack-jackd2-dev
EOF
}

# Everything the set-up depends on; a change of any of it sets up again. Fails where the environment's Python does not start.
fingerprint() {
    local version
    version=$("$python" -c 'import sys; print(sys.version)' 2>/dev/null) || return 1
    { printf '%s\n' "$root" "$version" "$torch_version" "$(systemd_version)" && cat "$root/pyproject.toml"; } |
        sha256sum | cut -d ' ' -f 1
}

systemd_version() { pkg-config --modversion libsystemd 2>/dev/null || echo none; }

# Prepares .venv for `run` or for `test`, which holds all that `run` does and more. A set-up that was killed leaves its
# mark behind, and the next one starts from an empty environment; one that is whole and up to date costs nothing.
setup_venv() {
    local for_what=$1 base stamp="$venv/.latent-$1" making="$venv/.latent-making" now
    if [ ! -e "$making" ] && [ -f "$stamp" ] && now=$(fingerprint) && [ "$(cat "$stamp")" = "$now" ]; then
        return
    fi
    base=$(find_python) || die "Latent needs Python 3.11 or newer with venv: on Debian 12 an administrator should run" \
        "'apt-get install -y python3 python3-venv', then run this again."
    if [ -e "$making" ] || ! "$python" -c 'import pip' 2>/dev/null; then
        say "Making $venv with $base."
        rm -rf "$venv"
        mkdir "$venv"
        : >"$making"
        "$base" -m venv "$venv"
    fi
    : >"$making"
    rm -f "$venv"/.latent-run "$venv"/.latent-test
    say "Installing Python packages into $venv; the first time this takes a few minutes."
    if ! install_packages "$for_what"; then
        rm -f "$making"
        die "The Python packages could not be installed: see pip's message above, check the network, and run this again."
    fi
    fingerprint >"$venv/.latent-run"
    [ "$for_what" = run ] || cp "$venv/.latent-run" "$stamp"
    rm -f "$making"
}

install_packages() {
    local what=$root
    if [ "$1" = test ]; then
        install_torch || return
        what="${root}[studio,dev]"
    fi
    pip_install -e "$what" || return
    install_systemd
    install_hands
}

# Copies all that a version is made of, without what is made anew where it runs.
copy_program() {
    local from=$1 to=$2 each
    for each in appliance models deploy systemd pyproject.toml README.md CHANGELOG.md LICENSE; do
        cp -a -- "$from/$each" "$to/"
    done
    find "$to" \( -name __pycache__ -o -name '*.egg-info' \) -prune -exec rm -rf {} +
}
