/* SPDX-License-Identifier: MIT */
// sources: lib/base/checksum.c
/* Claim: crc32c gives the published sums, the same whether bytes come at once or in pieces, and
 * another one when any single bit is flipped. Fails if polynomial, reflection or inversion is
 * wrong. */
#include "test/unit/base/support.h"

#include "lib/base/checksum.h"

static void crc32c_of_published_inputs_matches(void **state)
{
    (void)state;
    u8 bytes[32];

    assert_int_equal(crc32c(0, "", 0), 0);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    /* RFC 3720, appendix B.4 */
    memset(bytes, 0, 32);
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (u8)i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (u8)(31 - i);
    assert_int_equal(crc32c(0, bytes, 32), 0x113fdb5c);
}

static void crc32c_in_pieces_is_the_same(void **state)
{
    (void)state;
    const char *text = "the quick brown fox jumps over the lazy dog";
    size_t size = strlen(text);
    u32 whole = crc32c(0, text, size);

    for (size_t cut = 0; cut <= size; cut++)
        assert_int_equal(crc32c(crc32c(0, text, cut), text + cut, size - cut), whole);
}

static void crc32c_of_a_flipped_bit_differs(void **state)
{
    (void)state;
    u8 bytes[64] = "some bytes";
    u32 sum = crc32c(0, bytes, sizeof bytes);

    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (u8)(1 << bit % 8);
        assert_int_not_equal(crc32c(0, bytes, sizeof bytes), sum);
        bytes[bit / 8] ^= (u8)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_of_published_inputs_matches),
        cmocka_unit_test(crc32c_in_pieces_is_the_same),
        cmocka_unit_test(crc32c_of_a_flipped_bit_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
