/* SPDX-License-Identifier: MIT */
/* checksum.h: CRC-32C, to see whether bytes are the bytes that they should be.
 *
 * The demonstration and the tests compare what arrived through a pager with a sum that was made
 * when the image was built. CRC-32C is the Castagnoli polynomial 0x1edc6f41, reflected, start and
 * final value inverted (source: RFC 3720, section 12.1); the sum of "123456789" is 0xe3069283. It
 * finds accidents, and does nothing against somebody who means it. */
#ifndef LIB_BASE_CHECKSUM_H
#define LIB_BASE_CHECKSUM_H

#include "lib/base/types.h"

/* The sum of bytes that come in pieces: start with 0 and hand on what the last piece gave;
 * crc32c(crc32c(0, a, n), b, m) is the sum of a followed by b. About 10 instructions a byte, with
 * a table of 64 bytes: small rather than fast. */
u32 crc32c(u32 sum, const void *data, size_t size_bytes);

#endif
