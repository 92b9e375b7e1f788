/* What images for tests are made of: needs nothing beside itself when linked statically. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "";
  if (!strcmp(what, "say")) { puts(words[2]); return 0; }
  if (!strcmp(what, "fail")) { puts("going to fail"); fprintf(stderr, "error: no such thing\n"); return 7; }
  if (!strcmp(what, "sleep")) { puts("sleeping"); fflush(stdout); sleep(atoi(words[2])); return 0; }
  if (!strcmp(what, "flood")) { for (int i = 0; i < atoi(words[2]); i++) printf("line %d of a long log that goes on and on, and then some more of it for good measure\n", i); return 0; }
  if (!strcmp(what, "cat")) { FILE *file = fopen(words[2], "r"); int c; if (!file) { perror(words[2]); return 1; } while ((c = fgetc(file)) != EOF) putchar(c); return 0; }
  for (;;) pause();
}
