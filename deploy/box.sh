# Shared by what installs, updates, closes the disk and uninstalls: where things lie on the box, what was done to it, and how
# one version gives way to another. Sourced, never run, after lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154

home=/opt/latent
versions=$home/versions
# What was done, one line each, to be undone from here: `file` (made), `backup` (of what is replaced), `block` (lines in
# somebody else's file), `folder` (made), `mask`, `enabled`, `package`.
record=$home/record
settings=/etc/latent
state=/var/lib/latent
cache=/var/cache/latent
artists=/srv/latent
units=/etc/systemd/system
# All that plays, and what only some want.
services=(latent-player.service latent-engine.service latent-probe.service latent-keeper.service)
extras=(latent-light.service latent-snapcast.service)
# Looks on while a new version proves itself.
trial_unit=latent-trial.service
# Where a partition for what must survive is seen, if deploy/read-only was told of one.
partition=/media/latent
# Around our lines in somebody else's file.
block_begins="# Latent begins."
block_ends="# Latent ends."
dry=

# Says what is done, and does it unless this is a dry run.
act() {
    local sentence=$1
    shift
    if [ -n "$dry" ]; then
        say "would: $sentence"
    else
        say "$sentence"
        "$@"
    fi
}

recorded() { [ -f "$record" ] && grep -qxF -- "$1" "$record"; }

note() {
    recorded "$1" || { printf '%s\n' "$1" >>"$record" && sync "$record"; }
}

# Installs those of the named packages of the system that are missing. Whether they are there then is the caller's to see.
add_packages() {
    local package missing
    mapfile -t missing < <(missing_of "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ -n "$dry" ]; then
        say "would: Installing system packages: ${missing[*]}."
        return
    fi
    apt_install "${missing[@]}"
    for package in "${missing[@]}"; do
        ! installed "$package" || note "package $package"
    done
}

# Waits for nobody: two at a time would spoil each other's work.
be_alone() {
    [ -d "$home" ] || return 0
    exec 8<"$home"
    flock --nonblock 8 || die "Latent is being installed or changed here already: wait for that to end."
}

# Writes what comes through standard input to a file, if that is not what it holds; what was there before us is kept
# beside it. Sets `changed` where anything is written.
put() {
    local path=$1 mode=${2:-644} text
    text=$(cat; printf x)
    text=${text%x}
    if [ -f "$path" ] && [ "$(cat "$path"; printf x)" = "${text}x" ] && [ "$(stat -c %a "$path")" = "$mode" ]; then
        return
    fi
    changed=yes
    if [ -f "$path" ] && ! recorded "file $path" && ! recorded "backup $path"; then
        act "Writing $path; what was there is kept as $path.before-latent." keep "$path" "$mode" "$text"
    else
        act "Writing $path." write "$path" "$mode" "$text"
    fi
}

keep() {
    cp -p -- "$1" "$1.before-latent"
    note "backup $1"
    replace "$@"
}

write() {
    recorded "backup $1" || note "file $1"
    replace "$@"
}

# A power cut leaves the old file or the new one.
replace() {
    local path=$1 mode=$2 text=$3
    make_folder "$(dirname -- "$path")"
    printf '%s' "$text" >"$path.latent-new"
    chmod "$mode" "$path.latent-new"
    sync "$path.latent-new"
    mv -f -- "$path.latent-new" "$path"
}

# Adds what comes through standard input to the end of somebody else's file, of which a copy is kept. What others write
# there later stays when it is taken away again.
add_block() {
    local path=$1 whole
    whole=$(cat "$path"; [ -z "$(tail -c 1 "$path")" ] || echo; echo "$block_begins"; cat; echo "$block_ends"; printf x)
    note "block $path"
    [ -e "$path.before-latent" ] || cp -p -- "$path" "$path.before-latent"
    replace "$path" "$(stat -c %a "$path")" "${whole%x}"
}

take_block() {
    local path=$1 whole
    if [ -e "$path" ]; then
        whole=$(sed "/^$block_begins\$/,/^$block_ends\$/d" "$path"; printf x)
        replace "$path" "$(stat -c %a "$path")" "${whole%x}"
    fi
    rm -f -- "$path.before-latent"
}

make_folder() {
    [ ! -d "$1" ] || return 0
    make_folder "$(dirname -- "$1")"
    mkdir -- "$1"
    note "folder $1"
}

forget() {
    grep -vxF -- "$1" "$record" >"$record.new" || true
    mv -f -- "$record.new" "$record"
}

# Undoes one line of the record, which then is none of it.
undo() {
    local what=$1 path=$2
    case $what in
    file) rm -f -- "$path" ;;
    block) take_block "$path" ;;
    backup) [ ! -e "$path.before-latent" ] || mv -f -- "$path.before-latent" "$path" ;;
    mask) [ "$(readlink -- "$path")" != /dev/null ] || rm -f -- "$path" ;;
    enabled) systemctl --quiet disable "$path" 2>/dev/null || true ;;
    folder) rmdir --ignore-fail-on-non-empty -- "$path" 2>/dev/null || true ;;
    esac
    [ ! -f "$record" ] || forget "$what $path"
}

mask() {
    make_folder "$(dirname -- "$1")"
    note "mask $1"
    ln -s /dev/null "$1"
}

enable_unit() {
    if systemctl --quiet enable "$1" 2>/dev/null; then
        note "enabled $1"
    else
        say "$1 could not be enabled: systemctl enable $1 says why."
    fi
}

# Whether what is written to the system's disk lies in memory, as after deploy/read-only.
root_is_closed() { mountpoint -q /media/root-ro; }

must_be_open() {
    [ -n "$dry" ] || ! root_is_closed ||
        die "The system's disk is read-only: sudo $home/current/deploy/read-only off, sudo reboot, and this again."
}

# What lies on the partition, and in the place of which folder.
parts() { printf '%s\n' "settings $settings" "state $state" "artists $artists"; }

# The file of the unit that mounts a folder.
mount_of() { printf '%s\n' "$units/$(systemd-escape --path --suffix=mount "$1")"; }

# The version that this folder holds: its number and what its files add up to.
version_of() {
    local folder=$1 number sum
    number=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$folder/pyproject.toml" | head -n 1)
    sum=$(cd -- "$folder" && find appliance models deploy systemd pyproject.toml README.md LICENSE -type f \
        ! -path '*/__pycache__/*' ! -path '*.egg-info/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    printf '%s-%s\n' "$number" "${sum:0:8}"
}

current() { version_at current; }
previous() { version_at previous; }
version_at() { basename -- "$(readlink -- "$home/$1" 2>/dev/null)" 2>/dev/null || true; }

# Lets a link lead elsewhere, from one moment to the next.
point() {
    ln -sfn -- "$2" "$1.new"
    mv -fT -- "$1.new" "$1"
}

# All that the player is made of. While that is the same, it plays on through an update.
player_of() {
    local folder=$1
    (
        cd -- "$folder" || exit
        cat appliance/stream/*.py appliance/health/{liveness,manager,watchdog}.py appliance/service/player.py \
            appliance/cli/{main,process,player}.py appliance/{errors,folders,stopping,weighting}.py systemd/latent-player.service
        .venv/bin/python -c 'import sys, numpy, sounddevice; print(sys.version, numpy.__version__, sounddevice.__version__)'
    ) 2>/dev/null | sha256sum
}

# Puts the units of a version in their place, and takes away those that it does not have.
put_units() {
    local folder=$1 unit path
    for path in "$folder"/systemd/*.service "$folder"/systemd/*.target; do
        put "$units/$(basename -- "$path")" <"$path"
    done
    [ -f "$record" ] || return 0
    while read -r _ path; do
        unit=$(basename -- "$path")
        case $path in "$units/$trial_unit" | "$units"/latent-*/*) continue ;; "$units"/latent*) ;; *) continue ;; esac
        if [ ! -e "$folder/systemd/$unit" ]; then
            act "Removing $path, which this version does not have." rm -f -- "$path"
        fi
    done < <(grep '^file ' "$record")
}

# Lets a version be the one that runs. The engine first, which nobody hears; the player only where it is another.
switch_to() {
    local version=$1 before
    before=$(current)
    point "$home/current" "versions/$version"
    [ -e "$home/bin" ] || ln -sfn current/.venv/bin "$home/bin"
    put_units "$versions/$version"
    systemctl daemon-reload
    systemctl try-restart latent-engine.service latent-{probe,keeper,light,snapcast}.service 2>/dev/null || true
    if [ -z "$before" ] || [ "$(player_of "$versions/$before")" != "$(player_of "$versions/$version")" ]; then
        [ -z "$before" ] || say "The player is another in this version, so there is a pause of a few seconds."
        systemctl try-restart latent-player.service 2>/dev/null || true
    fi
}

# Throws away the versions that neither play nor are gone back to.
tidy_versions() {
    local each
    for each in "$versions"/*; do
        case $(basename -- "$each") in
        "$(current)" | "$(previous)") ;;
        *) rm -rf -- "$each" ;;
        esac
    done
}
