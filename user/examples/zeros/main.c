/* SPDX-License-Identifier: MIT */
/* zeros: a pager of one file whose first page says hello and whose other pages are zero. */
#include <string.h>

#include "lib/pager/file.h"

static cap_t page;    /* memory of one page, which is moved to whoever faults on page 0 */
static char *page_at; /* where we see it */

static void resolve_fault(struct pager_object *o, const struct pager_access *access,
                          const struct pager_map *map, struct page_answer *answer)
{
    (void)o, (void)access;
    if (map->offset == 0) {
        strcpy(page_at, "hello from a pager\n");
        answer_move(answer, page, 0, 1);
    } else {
        answer_zero(answer, 1);
    }
}

static const struct pager_ops ops = {.resolve_fault = resolve_fault};
static struct pager_object object = {.ops = &ops, .size = 16384, .name = "zeros"};

static void message(struct message *m)
{
    file_serve_one(m, &object, MEMORY_READ);
}

int main(void)
{
    static const struct pager_service service = {.message = message};

    page_at = (char *)need(map_memory(4096, &page), "making a page");
    need((struct result){pager_object_create(&object), 0}, "making the object");
    pager_serve(&service);
}
