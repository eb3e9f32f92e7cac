# How a version that was just installed proves itself. Sourced, never run, after box.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154

# The version before the one on trial, and whether it had a sound card; the trial is over where there is no such file.
trial=$home/trial
# It has so long to play well, and so long without a break.
longest_s=${LATENT_TRIAL_S:-600}
steady_s=${LATENT_STEADY_S:-60}

# Lets a version play on trial; with none before it, there is nothing to go back to and so nothing to prove.
change_to() {
    local before=$1 version=$2
    # One that has not proven itself is not gone back to.
    [ ! -f "$trial" ] || before=$(before_trial)
    if [ -n "$before" ]; then
        point "$home/previous" "versions/$before"
        [ -f "$trial" ] || write_trial "$before"
        put "$units/$trial_unit" <<UNIT
[Unit]
Description=Latent: whether the new version plays well
After=latent.target
ConditionPathExists=$trial

[Service]
Environment=LATENT_TRIAL_S=$longest_s LATENT_STEADY_S=$steady_s
ExecStart=$versions/$version/deploy/update --watch

[Install]
WantedBy=multi-user.target
UNIT
        # From here on a power cut is gone back from, too.
        systemctl daemon-reload
        systemctl --quiet enable "$trial_unit"
        sync -f "$home"
    fi
    switch_to "$version"
    if [ -n "$before" ]; then
        systemctl --no-block restart "$trial_unit"
        say "If it does not play well within $((longest_s / 60)) minutes, version $before is gone back to."
    fi
    tidy_versions
}

write_trial() {
    local card=card
    case $(/usr/local/bin/latent status --json 2>/dev/null || true) in *'"state": "waiting for a sound card"'* | '') card=none ;; esac
    printf '%s\n' "$1 $card" >"$trial.new"
    sync "$trial.new"
    mv -f -- "$trial.new" "$trial"
}

before_trial() { cut -d ' ' -f 1 "$trial"; }

# Whether all is well, and nothing was started again since the last look. Where the version before had a sound card, this
# one is to have it, too.
plays_well() {
    local starts told
    starts=$(systemctl show --value -p NRestarts latent-engine.service latent-player.service | tr '\n' ' ')
    [ "$starts" = "${starts_before:-$starts}" ] || { starts_before=$starts; return 1; }
    starts_before=$starts
    systemctl --quiet is-active latent-engine.service latent-player.service || return 1
    told=$(/usr/local/bin/latent status --json 2>/dev/null) || return 1
    case $told in *'"healthy": true'*) ;; *) return 1 ;; esac
    case $told in *'"state": "playing"'* | *'"state": "closed"'*) return 0 ;; esac
    grep -q ' none$' "$trial"
}

# Looks on until the version has proven itself, or the time is up.
watch_trial() {
    local before well_s=0
    [ -f "$trial" ] || return 0
    before=$(before_trial)
    SECONDS=0
    while [ "$SECONDS" -lt "$longest_s" ]; do
        sleep 2
        if plays_well; then
            well_s=$((well_s + 2))
        else
            well_s=0
        fi
        if [ "$well_s" -ge "$steady_s" ]; then
            say "Version $(current) plays well, and stays."
            end_trial
            return
        fi
    done
    say "Version $(current) did not play well for $steady_s s in a row within $longest_s s."
    go_back
}

# Lets the version before play again, whether the one that plays is on trial or not.
go_back() {
    local before now
    before=$(previous) now=$(current)
    [ -n "$before" ] && [ -e "$versions/$before/.whole" ] ||
        die "There is no version to go back to: $home/previous names none."
    say "Going back to version $before."
    switch_to "$before"
    point "$home/previous" "versions/$now"
    end_trial
}

end_trial() {
    systemctl --quiet disable "$trial_unit" 2>/dev/null || true
    undo file "$units/$trial_unit"
    systemctl daemon-reload
    rm -f -- "$trial"
}
