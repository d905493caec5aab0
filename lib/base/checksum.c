/* SPDX-License-Identifier: MIT */
/* checksum.c: CRC-32C by half bytes; checksum.h has the definition. */
#include "lib/base/checksum.h"

/* What four zero bits do to a sum whose low half byte is n: one step of division by the polynomial
 * for each. Computed by the compiler. */
#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41 with its bits reversed */
#define STEP(x)    ((x) >> 1 ^ (POLYNOMIAL & (0u - ((x)&1u))))
#define ENTRY(n)   STEP(STEP(STEP(STEP((u32)(n)))))

static const u32 table[16] = {
    ENTRY(0), ENTRY(1), ENTRY(2),  ENTRY(3),  ENTRY(4),  ENTRY(5),  ENTRY(6),  ENTRY(7),
    ENTRY(8), ENTRY(9), ENTRY(10), ENTRY(11), ENTRY(12), ENTRY(13), ENTRY(14), ENTRY(15),
};

u32 crc32c(u32 sum, const void *data, size_t size_bytes)
{
    const u8 *at = data;

    sum = ~sum;
    while (size_bytes--) {
        sum ^= *at++;
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return ~sum;
}
