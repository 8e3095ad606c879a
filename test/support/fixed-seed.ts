import fc from 'fast-check';
import { seed } from './fuzz.ts';

// A property that fails now and then fails for whoever changed something else; TOCSIN_SEED looks for new counterexamples.
fc.configureGlobal({ seed });
