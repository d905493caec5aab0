#!/bin/sh
# SPDX-License-Identifier: MIT
# Print each tool with the version that is wanted and the one found.
#
# Exit status 1 if one is missing or older than wanted.  Written in sh, since python3 is one of the
# tools it looks for.
set -u
failed=0

# row TOOL WANTED FOUND: one line of the table.
row() {
    verdict=ok
    if [ -z "$3" ]; then
        verdict=missing
    elif [ "$(printf '%s\n%s\n' "$2" "$3" | sort -V | head -n 1)" != "$2" ]; then
        verdict='too old'
    fi
    [ "$verdict" = ok ] || failed=$((failed + 1))
    printf '%-38s %-10s %-22s %s\n' "$1" "$2" "${3:--}" "$verdict"
}

# tool NAME WANTED: the last number with a dot in the first line of `NAME --version`.
tool() {
    found=
    if command -v "$1" >/dev/null 2>&1; then
        found=$("$1" --version 2>/dev/null | head -n 1 |
            sed -n 's/([^)]*)//; s/.* \([0-9][0-9]*\.[0-9.]*\).*/\1/p')
        [ -n "$found" ] || found=$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null)
    fi
    row "$1" "$2" "$found"
}

# package NAME WANTED: what has no --version.
package() {
    row "$1 (package)" "$2" \
        "$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null |
            sed -n 's/^installed //p')"
}

printf '%-38s %-10s %-22s %s\n' tool wanted found verdict
tool make 4.3
tool git 2.30
tool patch 2.7
tool cpio 2.13
tool python3 3.9
tool gcc 10.2
tool riscv64-unknown-elf-gcc 12.2
tool riscv64-unknown-elf-ld 2.39
tool qemu-system-riscv64 7.2
tool dtc 1.6
tool gdb-multiarch 12.1
tool clang 14.0
tool clang-format 14.0
package picolibc-riscv64-unknown-elf 1.7
package opensbi 1.1
package libfdt-dev 1.6
package libcmocka-dev 1.1
if [ "$failed" -ne 0 ]; then
    echo "doctor: $failed of these are missing or too old; 'make deps' installs what is missing"
    exit 1
fi
echo "doctor: all there"
