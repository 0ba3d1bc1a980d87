// The part of MPI that training needs, of a library that is loaded when the program runs.
#include <stddef.h>
#include <stdint.h>

// mpi_load loads a library. It returns what is wrong, for the caller to free, or NULL.
char *mpi_load(const char *path);

// mpi_start makes this process a rank. name is that of the library, of name_size bytes at most.
char *mpi_start(int *rank, int *size, char *name, size_t name_size);

// Operations begin and return at once; mpi_wait says when the one that was begun last is done. Until
// then nobody may touch its memory. There is one at a time.
char *mpi_gather(const void *send, void *recv, int bytes);   // recv gets the bytes of each rank
char *mpi_exchange(const void *send, void *recv, int bytes); // bytes go to each rank, and come from each
char *mpi_add(float *x, int values);                         // x becomes the sum over ranks
char *mpi_broadcast(void *x, int bytes);                     // x becomes that of rank 0

// mpi_wait makes an operation go on, for about a millisecond at most. With idle it sleeps for a part of it.
char *mpi_wait(int *done, int idle);

// mpi_tell sends a note of note_size bytes to a rank, unless the one before is still under way: then
// sent is 0. mpi_hear fetches a note of a rank, if there is one.
enum { note_size = 256 };
char *mpi_tell(int rank, const char *note, int *sent);
char *mpi_hear(int rank, char *note, int *heard);

char *mpi_finish(void);    // waits for the other ranks
void mpi_abort(int status); // ends all ranks
