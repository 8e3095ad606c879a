import { directoryContract, type Person } from './directory-contract.ts';
import { memoryDirectory } from './memory-directory.ts';

let known: readonly Person[] = [];

directoryContract('memoryDirectory', {
  open: () => memoryDirectory(known),
  fill: async (people) => {
    known = people;
  },
});
