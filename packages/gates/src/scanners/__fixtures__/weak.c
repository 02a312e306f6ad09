#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void copy(const char *from) {
  char to[10];
  strcpy(to, from); /* Flawfinder: ignore */
  to[10] = 0;
  gets(to);
}

void twice(void) {
  char *memory = malloc(4);
  free(memory);
  free(memory);
}
