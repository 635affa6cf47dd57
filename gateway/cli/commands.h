/* The commands, for main.c's table. Each returns an exit code. */
#ifndef COMMANDS_H
#define COMMANDS_H

struct cli;

int cli_serve(struct cli *cli);
int cli_user_add(struct cli *cli);
int cli_user_password(struct cli *cli);
int cli_backup(struct cli *cli);
int cli_check(struct cli *cli);
int cli_seed_load(struct cli *cli);
int cli_camera_import(struct cli *cli);

#endif
