/* SPDX-License-Identifier: MIT */
/* The version of Quire, written once.
 *
 * The boot banner prints it, the ABI query of the debug object returns it, and CHANGELOG.md has an
 * entry for it.  QUIRE_ABI_VERSION counts the changes of lib/abi that an old program could notice.
 */
#ifndef QUIRE_ABI_VERSION_H
#define QUIRE_ABI_VERSION_H

#define QUIRE_VERSION_MAJOR 0
#define QUIRE_VERSION_MINOR 1
#define QUIRE_VERSION_PATCH 0

#define QUIRE_ABI_VERSION 1

#endif
