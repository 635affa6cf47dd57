/* Foreign case kinds: never a crash; a fault has a path and words; what is taken keeps its cases within it.
 */
#include <stdlib.h>

#include "base/json.h"
#include "kind.h"
#include "workflow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *definition = NULL;
    struct se_err err = {0};
    struct kind *kind = NULL;
    struct workflow_state state;
    const struct access_who who = {.user_id = "u", .permissions = ~0ULL, .all_departments = true};

    if (se_json_parse(data, size, &definition, NULL) < 0)
        return 0;
    if (kind_parse(definition, &kind, &err) < 0) {
        if (kind || err.code == 0 || err.text[0] == '\0')
            abort();
        json_decref(definition);
        return 0;
    }
    workflow_open(kind, 0, 1000, &state);
    for (int i = 0; i < 200; i++) {
        const struct kind_action *action =
            &kind->actions[(unsigned)(i * 7 + i / 5) % (unsigned)kind->action_count];
        if (workflow_allowed(&state, action, &who))
            workflow_step(kind, &state, action, NULL, 1000 + i, &state);
        if (state.stage < 0 || state.stage >= kind->stage_count ||
            (state.status == CASE_CLOSED) != kind->stages[state.stage].closed)
            abort();
        json_t *actions = workflow_actions(kind, &state, &who, "en");
        json_decref(actions);
    }
    kind_free(kind);
    json_decref(definition);
    return 0;
}
