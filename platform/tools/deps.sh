#!/bin/sh
# SPDX-License-Identifier: MIT
# Install the Debian packages that the build, the tests and the tools need.
#
# usage: deps.sh install|print|quiet|quiet-print
# It asks dpkg what is there, so it takes a few milliseconds when nothing is missing.  The quiet
# forms, which run before every other target, say nothing then.  The package lists are fetched only
# when an installation failed without them.
set -eu

mode=${1:-install}

# Up to Debian 12 qemu-system-misc has the RISC-V machine, from 13 on a package of its own.
version=$(sed -n 's/^VERSION_ID="\{0,1\}\([0-9]*\).*/\1/p' /etc/os-release 2>/dev/null || true)
qemu=qemu-system-misc
if [ "${version:-12}" -ge 13 ]; then
    qemu=qemu-system-riscv
fi

packages="make git patch cpio python3 gcc libc6-dev gcc-riscv64-unknown-elf
binutils-riscv64-unknown-elf picolibc-riscv64-unknown-elf $qemu opensbi device-tree-compiler
libfdt-dev libcmocka-dev gdb-multiarch clang clang-format"
packages=$(echo $packages)

case $mode in
install | print)
    echo "apt-get install --no-install-recommends $packages"
    ;;
quiet | quiet-print) ;;
*)
    echo "deps: '$mode' is not known: use install, print, quiet or quiet-print" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: this is no Debian system, so install the like of these packages by hand:" >&2
    echo "      $packages" >&2
    echo "      then see 'make doctor'; DEPS=no goes on without them" >&2
    case $mode in *print) exit 0 ;; esac
    exit 1
fi

installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null |
    sed -n 's/ installed$//p')
missing=
for p in $packages; do
    case "
$installed
" in
    *"
$p
"*) ;;
    *) missing="$missing $p" ;;
    esac
done

if [ -z "$missing" ]; then
    case $mode in install | print) echo "deps: nothing is missing" ;; esac
    exit 0
fi
echo "deps: missing:$missing"
case $mode in
*print)
    exit 0
    ;;
esac

sudo=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "deps: as root, run: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    sudo=sudo
fi
get="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120"
echo "deps: installing (a few minutes the first time)"
if ! $get install --no-install-recommends $missing; then
    echo "deps: fetching the package lists, then once more"
    $get update
    $get install --no-install-recommends $missing
fi
