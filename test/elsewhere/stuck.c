/* SPDX-License-Identifier: MIT */
/*
 * stuck: a pager that lies, chosen by its argument.
 *
 * `never` leaves every fault unanswered, `wild` answers for pages outside the object, with memory it
 * does not hold, and with an unknown kind, `crash` faults itself.  Claim: whoever maps its file can
 * be ended from the prompt, and the system goes on.  Built outside the tree by test/tools/sessions.py.
 */
#include <string.h>

#include "lib/pager/file.h"

static const char *way;

static void resolve_fault(struct pager_object *o, const struct pager_access *access,
                          const struct pager_map *map, struct page_answer *answer)
{
    (void)o, (void)access, (void)map;
    if (strcmp(way, "crash") == 0)
        __asm__ volatile("sd zero, 8(zero)");
    if (strcmp(way, "wild") != 0)
        return;
    answer_zero(answer, 100);        /* beyond the end */
    answer_move(answer, 200, 0, 1);  /* an empty slot */
    answer_add(answer, 99, 0, 0, 1); /* no such kind */
}

static const struct pager_ops ops = {.resolve_fault = resolve_fault};
static struct pager_object object = {.ops = &ops, .size = 8192, .name = "stuck"};

static void message(struct message *m)
{
    file_serve_one(m, &object, MEMORY_READ);
}

int main(int argc, char **argv)
{
    static const struct pager_service service = {.message = message};

    way = argc > 1 ? argv[1] : "never";
    need((struct result){pager_object_create(&object), 0}, "making the object");
    pager_serve(&service);
}
