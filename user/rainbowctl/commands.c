// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The table of commands. To add one: a row here, a builder, and if its reply has a new shape, a view. */
#include <string.h>
#include "rainbowctl/build.h"
#include "rainbowctl/command.h"

#define B(id) OPTION_BIT(OPTION_##id)

/* clang-format off */
#define SERVICE {"SERVICE", ARGUMENT_SERVICE, false, false}
#define LABEL   {"LABEL", ARGUMENT_LABEL, false, false}
#define MAYBE_SERVICE {"SERVICE", ARGUMENT_SERVICE, true, false}
#define WORD(name) {name, ARGUMENT_FREE, false, false}

const struct command commands[] = {
	{
		.name = "status", .kind = COMMAND_READ, .view = VIEW_STATUS, .build = build_status,
		.arguments = {MAYBE_SERVICE}, .options = B(WATCH),
		.summary = "what runs: versions, shares, sessions, drains, rollouts (also without any word)",
		.detail = "OF NEW is the measured part of the new sessions since the last weight change, WEIGHT the part that was ordered.\n"
			  "With SERVICE it shows backends and why sessions ended, too. Unknown is shown as ?, never as 0.",
		.example = "rainbowctl status agent -w",
	},
	{
		.name = "service add", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_service_add, .of_all = true,
		.arguments = {WORD("NAME"), WORD("ADDR:PORT[/tcp|udp]")},
		.options = B(AFFINITY) | B(SELECTION) | B(STRAY) | B(IDLE_TIMEOUT) | B(PROBE_IDLE) | B(CLIENT_PREFIX) | B(HTTP),
		.summary = "make a service: the address that clients dial",
		.detail = "The protocol is tcp unless /udp follows. Until a version is added, packets to the service are strays.",
		.example = "rainbowctl service add agent 10.0.0.10:443 --selection exact",
	},
	{
		.name = "service set", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_service_set,
		.arguments = {SERVICE}, .options = B(IDLE_TIMEOUT) | B(PROBE_IDLE) | B(HTTP),
		.summary = "change when silent sessions of a service end, and whether it speaks HTTP/1",
		.detail = "It holds for running sessions, too. After --probe-idle a client is asked 15 times, a fifteenth of that time apart (at\n"
			  "least 1s); one that answers none of them has vanished, and its session ends. What else a service has, as gates, steps of\n"
			  "rollouts and its way to drain, a document sets: export, edit, apply.",
		.example = "rainbowctl service set agent --probe-idle 5m",
	},
	{
		.name = "service rm", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_service_rm,
		.arguments = {{"NAME", ARGUMENT_SERVICE, false, false}},
		.summary = "remove a service and its versions; refused while sessions live",
		.example = "rainbowctl service rm agent",
	},
	{
		.name = "service list", .kind = COMMAND_READ, .view = VIEW_SERVICES, .build = build_service_list,
		.summary = "the services and their settings",
		.detail = "-o json has all of them; as a document that can be edited and applied: export.",
		.example = "rainbowctl service list -o json",
	},
	{
		.name = "version add", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_version_add,
		.arguments = {SERVICE, WORD("LABEL")},
		.options = B(BACKEND) | B(CODE) | B(MODEL) | B(PROMPTS) | B(TOOLS), .required = B(BACKEND),
		.summary = "add a version of a service",
		.detail = "The first version of a service takes 100 % of its new sessions, later ones begin with 0: see rollout start, set-weight.\n"
			  "--code, --model, --prompts and --tools are its tuple. A version never changes: the same label with another tuple is\n"
			  "refused.",
		.example = "rainbowctl version add agent v2 --backend 10.0.1.2:8080,max=500 --code 3f9c2ab --model sonnet-4",
	},
	{
		.name = "version rm", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_version_rm,
		.arguments = {SERVICE, LABEL},
		.summary = "remove a version that has no share, no live session and no quarantine",
		.example = "rainbowctl version rm agent v1",
	},
	{
		.name = "version list", .kind = COMMAND_READ, .view = VIEW_VERSIONS, .build = build_version_list,
		.arguments = {MAYBE_SERVICE},
		.summary = "the versions with their tuples and backends",
		.example = "rainbowctl version list agent",
	},
	{
		.name = "version diff", .kind = COMMAND_READ, .view = VIEW_TUPLE_DIFF, .build = build_version_diff,
		.arguments = {SERVICE, {"A", ARGUMENT_LABEL, false, false}, {"B", ARGUMENT_LABEL, false, false}},
		.summary = "which layers of the tuple differ between two versions",
		.example = "rainbowctl version diff agent v1 v2",
	},
	{
		.name = "version env", .kind = COMMAND_READ, .view = VIEW_ENV, .build = build_version_env,
		.arguments = {SERVICE, LABEL},
		.summary = "the environment with which a version tags its logs and traces",
		.detail = "Lines for a shell and for systemd's EnvironmentFile= alike: RAINBOW_SERVICE, RAINBOW_VERSION, RAINBOW_TUPLE_CODE, _MODEL,\n"
			  "_PROMPTS and _TOOLS, and OTEL_RESOURCE_ATTRIBUTES with service.name, service.version and rainbow.version.*, encoded as\n"
			  "OpenTelemetry reads it. In a shell: set -a; eval \"$(rainbowctl version env agent v2)\"; set +a",
		.example = "rainbowctl version env agent v2",
	},
	{
		.name = "version quarantine", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_version_quarantine,
		.arguments = {SERVICE, LABEL}, .options = B(REASON), .required = B(REASON),
		.summary = "let no rollout take this version, and roll back one that does; weights by hand go on as before",
		.example = "rainbowctl version quarantine agent v2 --reason loops",
	},
	{
		.name = "version unquarantine", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_version_unquarantine,
		.arguments = {SERVICE, LABEL},
		.summary = "let rollouts take this version again",
		.example = "rainbowctl version unquarantine agent v2",
	},
	{
		.name = "backend add", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_backend_add,
		.arguments = {SERVICE, LABEL, WORD("ADDR:PORT")},
		.summary = "add a backend to a version",
		.detail = "ADDR:PORT,max=N limits the backend to N sessions at a time.",
		.example = "rainbowctl backend add agent v2 10.0.1.3:8080",
	},
	{
		.name = "backend rm", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_backend_rm,
		.arguments = {SERVICE, LABEL, WORD("ADDR:PORT")},
		.summary = "take a backend out; its running sessions stay to their end",
		.example = "rainbowctl backend rm agent v2 10.0.1.3:8080",
	},
	{
		.name = "set-weight", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_set_weight,
		.arguments = {SERVICE, {"LABEL=PERCENT ... [LABEL]", ARGUMENT_WEIGHT, false, true}},
		.summary = "say which part of the new sessions each version gets",
		.detail = "Percentages go in steps of 0.1 and sum to 100; one version may stand without a number and takes the rest; versions\n"
			  "not named get 0. Running sessions stay where they are. When it returns, no new session follows the old weights.",
		.example = "rainbowctl set-weight agent v2=12.5 v1",
	},
	{
		.name = "drain", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_drain,
		.arguments = {SERVICE, LABEL}, .options = B(DEADLINE) | B(ON_DEADLINE) | B(WAIT),
		.summary = "let a version run empty: no new session, running ones stay",
		.detail = "At the deadline the sessions that are left are closed with a reset to both ends, oldest first, within 10 seconds or by\n"
			  "the service's pace. Its drain policy also has the deadline where none is given, and who is told before and after.\n"
			  "Again on a draining version it changes the options given, never the start. Its share goes to the other versions.\n"
			  "--wait returns 0 when the version is drained; Ctrl-C ends the waiting, not the drain.",
		.example = "rainbowctl drain agent v1 --deadline 2h --wait",
	},
	{
		.name = "undrain", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_undrain,
		.arguments = {SERVICE, LABEL},
		.summary = "make a draining or drained version active again, with weight 0",
		.example = "rainbowctl undrain agent v1",
	},
	{
		.name = "rollback", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_rollback,
		.arguments = {SERVICE}, .options = B(TO) | B(SESSIONS),
		.summary = "give all new sessions back to an earlier version, at once",
		.detail = "Without --to: to the version that had the largest share before the last weight change. --sessions says what becomes\n"
			  "of running sessions on the versions that lose their share: keep them, drain them, or reset them now. A rollout that\n"
			  "is under way is aborted by it, and without --to its baseline takes over. What one that is complete brought in is\n"
			  "quarantined by the way back to its baseline.",
		.example = "rainbowctl rollback agent --to v1 --sessions drain",
	},
	{
		.name = "evict", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_evict,
		.arguments = {SERVICE, LABEL}, .options = B(OLDER_THAN) | B(RATE),
		.summary = "close running sessions of a version, with a reset to both ends",
		.detail = "The clients notice, and those that reconnect get a version as any new session does.",
		.example = "rainbowctl evict agent v1 --older-than 12h --rate 50/s",
	},
	{
		.name = "rollout start", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_rollout_start,
		.arguments = {SERVICE, LABEL},
		.options = B(STEPS) | B(HOLD) | B(BASELINE) | B(ON_NEW_TARGET) | B(NO_GATES),
		.summary = "bring in a version step by step while its gates pass; else it goes back by itself",
		.detail = "Each step goes on when its hold is over and all gates pass. A gate that is inconclusive holds it. One that fails rolls it\n"
			  "back: all new sessions go to the baseline at once, the version drains and is in quarantine. Where a service has no gates\n"
			  "of its own it is judged by what the kernel sees: turn_latency, resets, connect_failures (and http_errors, if it speaks\n"
			  "http). Gates, and the steps where --steps does not say them, are the service's: export, edit, apply.\n"
			  "--steps 100 is blue-green.",
		.example = "rainbowctl rollout start agent v2 --steps 5:30m,25,50,100 --hold 10m",
	},
	{
		.name = "rollout status", .kind = COMMAND_READ, .view = VIEW_ROLLOUT, .build = build_rollout_status,
		.arguments = {SERVICE}, .options = B(WATCH),
		.summary = "the rollout: its step, its gates with both versions' figures",
		.detail = "Also of the last one, when it has ended: then the figures are those of its last step.",
		.example = "rainbowctl rollout status agent -w",
	},
	{
		.name = "rollout promote", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_rollout_promote,
		.arguments = {SERVICE}, .options = B(FULL) | B(FROM_STEP),
		.summary = "go to the next step now, whether or not its hold is over and its gates pass",
		.detail = "The history says which gates it passed by. From the last step, the rollout is complete. A pause stays in force.",
		.example = "rainbowctl rollout promote agent --from-step 2",
	},
	{
		.name = "rollout pause", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_rollout_pause,
		.arguments = {SERVICE},
		.summary = "stay at this step; a gate that fails rolls it back nevertheless",
		.detail = "Its hold stands still meanwhile.",
		.example = "rainbowctl rollout pause agent",
	},
	{
		.name = "rollout resume", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_rollout_resume,
		.arguments = {SERVICE},
		.summary = "go on after a pause",
		.example = "rainbowctl rollout resume agent",
	},
	{
		.name = "rollout abort", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_rollout_abort,
		.arguments = {SERVICE},
		.summary = "end the rollout: back to the baseline at once; the version drains, in quarantine",
		.example = "rainbowctl rollout abort agent",
	},
	{
		.name = "rollout retry", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_rollout_retry,
		.arguments = {SERVICE},
		.summary = "begin a rollout again that was rolled back; the version must be out of quarantine",
		.detail = "The steps and the baseline are those of before. First: rainbowctl version unquarantine SERVICE LABEL",
		.example = "rainbowctl rollout retry agent",
	},
	{
		.name = "explain gate", .kind = COMMAND_READ, .view = VIEW_TEXT, .build = build_explain_gate,
		.arguments = {SERVICE, WORD("GATE")},
		.summary = "what a gate of the rollout has seen: inputs, formula, verdict",
		.detail = "To explain spends no look. `rollout status` lists the gates.",
		.example = "rainbowctl explain gate agent turn_latency",
	},
	{
		.name = "steer add", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_steer_add,
		.arguments = {SERVICE, WORD("CIDR"), LABEL},
		.summary = "send the new sessions of an address range to one version",
		.detail = "Also to one with weight 0: for testers and hold-backs. The longest range that fits decides; the same range again is\n"
			  "replaced. A rule that leads to a draining version is not followed.",
		.example = "rainbowctl steer add agent 10.9.0.0/16 v2",
	},
	{
		.name = "steer rm", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_steer_rm,
		.arguments = {SERVICE, WORD("CIDR")},
		.summary = "remove a steer",
		.example = "rainbowctl steer rm agent 10.9.0.0/16",
	},
	{
		.name = "steer list", .kind = COMMAND_READ, .view = VIEW_STEERS, .build = build_steer_list,
		.summary = "the steers of all services",
		.example = "rainbowctl steer list",
	},
	{
		.name = "sessions", .kind = COMMAND_READ, .view = VIEW_SESSIONS, .build = build_sessions,
		.arguments = {SERVICE}, .options = B(VERSION) | B(OLDER_THAN) | B(LIMIT),
		.summary = "the sessions of a service, the oldest first",
		.example = "rainbowctl sessions agent --version v1 --older-than 1h",
	},
	{
		.name = "gate push", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_gate_push,
		.arguments = {SERVICE, WORD("GATE"), {"VERSION", ARGUMENT_LABEL, false, false}, {"-", ARGUMENT_FREE, true, false}},
		.options = B(OK) | B(BAD) | B(VALUE) | B(SESSION),
		.summary = "tell a gate how a session went, as a judge or a job found out",
		.detail = "One session: --session with --ok, --bad or --value. Many: - reads JSON lines from stdin, each one like\n"
			  "{\"session\": \"abc\", \"ok\": true, \"started\": \"2026-11-26T09:00:00Z\"}, or \"value\" instead of \"ok\".\n"
			  "Only sessions that began in the rollout's present step count (\"started\", else the time of the push), and each once.\n"
			  "A gate takes samples if its source is push; --ok and --bad if it is of kind ratio, --value if it is a distribution.",
		.example = "rainbowctl gate push agent accuracy v2 --bad --session 7f3a",
	},
	{
		.name = "whois", .kind = COMMAND_READ, .view = VIEW_WHOIS, .build = build_whois,
		.arguments = {WORD("ADDR:PORT"), MAYBE_SERVICE},
		.summary = "which version, tuple and backend serve this client now",
		.example = "rainbowctl whois 10.9.3.4:51522",
	},
	{
		.name = "explain", .kind = COMMAND_READ, .view = VIEW_EXPLAIN, .build = build_explain,
		.arguments = {SERVICE, WORD("ADDR:PORT")},
		.summary = "which version a new session of this client would get, and by which rule",
		.example = "rainbowctl explain agent 10.9.3.4:51522",
	},
	/* the declarative document: declare.c */
	{
		.name = "lint", .kind = COMMAND_LOCAL, .build = build_file, .options = B(FILE) | B(OUTPUT), .required = B(FILE),
		.summary = "check a document without asking rainbowd",
		.detail = "Says what is wrong as FILE:LINE:COLUMN, with the key and the fix, and returns 2. `export` prints a document to begin\n"
			  "with.",
		.example = "rainbowctl lint -f rainbow.yaml",
	},
	{
		.name = "plan", .kind = COMMAND_READ, .view = VIEW_CHANGES, .build = build_plan, .options = B(FILE), .required = B(FILE),
		.summary = "say what applying a document would change",
		.detail = "Returns 0 where all is as the document wants it, 10 where something would change. The document is read as apply reads it.",
		.example = "rainbowctl plan -f rainbow.yaml",
	},
	{
		.name = "apply", .kind = COMMAND_CHANGE, .view = VIEW_CHANGES, .build = build_apply, .of_all = true,
		.options = B(FILE), .required = B(FILE),
		.summary = "make the running state what a document says",
		.detail = "The document is refused whole or applied whole. A key that is left out leaves what is, a list that is given is whole:\n"
			  "versions that it does not name drain, and are removed when they have no session. Services that it does not name are\n"
			  "left alone. With rollout.target a rollout brings the version in; weights sets the shares at once.",
		.example = "rainbowctl apply -f rainbow.yaml --dry-run",
	},
	{
		.name = "export", .kind = COMMAND_READ, .build = build_export, .arguments = {MAYBE_SERVICE},
		.summary = "print the running state as a document; applied again, it changes nothing",
		.detail = "YAML, or JSON with -o json.",
		.example = "rainbowctl export agent",
	},
	{
		.name = "import endpointslices", .kind = COMMAND_LOCAL, .build = build_import,
		.options = B(FILE) | B(PODS) | B(SERVICE_PORT) | B(ADDRESS) | B(OUTPUT), .required = B(FILE),
		.summary = "make a document from Kubernetes' EndpointSlices, as JSON",
		.detail = "The label app names the service, the label version the version: those of the endpoint's pod, else those of the slice.\n"
			  "Endpoints that are ready and do not terminate are backends. The list may hold Pods and Services as well:\n"
			  "kubectl get endpointslices,pods,services -o json | rainbowctl import endpointslices -f - | rainbowctl apply -f -",
		.example = "rainbowctl import endpointslices -f list.json --service-port agent",
	},
	{
		.name = "doctor", .kind = COMMAND_READ, .view = VIEW_DOCTOR, .build = build_doctor,
		.summary = "look for traps on this host (hooks, offloads, routing, fill), each with its fix",
		.detail = "Returns 5 if a check failed.",
		.example = "rainbowctl doctor",
	},
	{
		.name = "lock", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_lock,
		.arguments = {SERVICE}, .options = B(REASON), .required = B(REASON),
		.summary = "keep rollouts and apply away from a service",
		.detail = "A rollout still goes back by itself, but not on; apply is refused, and told who locked it and why. Commands by hand go\n"
			  "on working.",
		.example = "rainbowctl lock agent --reason incident-4711",
	},
	{
		.name = "unlock", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_unlock,
		.arguments = {SERVICE},
		.summary = "let rollouts and apply at a service again",
		.example = "rainbowctl unlock agent",
	},
	{
		.name = "history", .kind = COMMAND_READ, .view = VIEW_HISTORY, .build = build_history,
		.arguments = {MAYBE_SERVICE}, .options = B(LIMIT),
		.summary = "who did what, when and why, and what came of it; the newest first",
		.detail = "With what rainbowd did unasked, and with what was refused. -o json also has the service before and after.",
		.example = "rainbowctl history agent --limit 20",
	},
	{
		.name = "events", .kind = COMMAND_READ, .view = VIEW_EVENTS, .build = build_events,
		.arguments = {MAYBE_SERVICE}, .options = B(FOLLOW),
		.summary = "the newest rows of the history, a line each; -f goes on with what comes",
		.detail = "-f waits for a rainbowd that restarts and goes on where it was: no row is missed or told twice. With -o json a JSON object\n"
			  "a line.",
		.example = "rainbowctl events -f agent",
	},
	{
		.name = "wait", .kind = COMMAND_READ, .view = VIEW_NONE, .build = build_wait,
		.arguments = {SERVICE}, .options = B(FOR) | B(TIMEOUT), .required = B(FOR),
		.summary = "wait for the end of a rollout or a drain",
		.detail = "Returns 0 when it is reached, 5 when it can not be reached any more (rolled back, superseded, made active again), 7 when\n"
			  "--timeout is over. Ctrl-C ends the waiting and nothing else.",
		.example = "rainbowctl wait agent --for rollout=complete --timeout 2h",
	},
	{
		.name = "detach", .kind = COMMAND_CHANGE, .view = VIEW_EFFECT, .build = build_detach, .of_all = true,
		.options = B(YES),
		.summary = "take rainbow off this host: hooks and maps are removed, rainbowd exits",
		.detail = "Live sessions lose their way. It asks first; --yes answers.",
		.example = "rainbowctl detach --yes",
	},
	{
		.name = "completion", .kind = COMMAND_LOCAL, .build = build_completion,
		.arguments = {{"bash", ARGUMENT_SHELL, false, false}},
		.summary = "print the completion script of a shell",
		.example = "source <(rainbowctl completion bash)",
	},
	{
		.name = "help", .kind = COMMAND_LOCAL,
		.arguments = {{"COMMAND ...", ARGUMENT_COMMAND, true, true}},
		.summary = "show the help of a command",
		.example = "rainbowctl help set-weight",
	},
	{ /* what the completion script asks; without a summary it is in no list */
		.name = "complete", .kind = COMMAND_READ, .view = VIEW_NAMES, .build = build_complete,
		.arguments = {WORD("services|labels"), MAYBE_SERVICE},
	},
};
/* clang-format on */

const size_t command_count = sizeof(commands) / sizeof(commands[0]);

uint64_t command_options(const struct command *command)
{
	uint64_t common = B(HELP);

	if (command->kind != COMMAND_LOCAL)
		common |= B(SOCKET) | B(OUTPUT) | B(ASCII);
	if (command->kind == COMMAND_CHANGE)
		common |= B(DRY_RUN) | B(REASON) | (command->of_all ? 0 : B(IF_GENERATION));
	return command->options | common;
}

size_t command_arguments_min(const struct command *command)
{
	size_t count = 0;

	while (count < COMMAND_ARGUMENTS && command->arguments[count].name && !command->arguments[count].optional)
		count++;
	return count;
}

size_t command_arguments_max(const struct command *command)
{
	size_t count = 0;

	for (; count < COMMAND_ARGUMENTS && command->arguments[count].name; count++)
		if (command->arguments[count].repeated)
			return ARGUMENTS_MAX;
	return count;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

bool command_is_group(const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i < command_count; i++)
		if (!strncmp(commands[i].name, word, length) && commands[i].name[length] == ' ')
			return true;
	return false;
}
