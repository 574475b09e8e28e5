/** The directory cannot be asked now, or does not let us ask; nobody has been refused. */
export class DirectoryAway extends Error {
  override readonly name = 'DirectoryAway';
}
