/** What a value in an attribute is: plain text, a URL, or something no value may stand in. */
export type AttributeKind = 'plain' | 'url' | 'forbidden';

/** Elements whose attributes decide what is loaded, run or styled. */
const activeElements: ReadonlySet<string> = new Set(
  'animate animatemotion animatetransform applet base embed frame frameset iframe import link meta object param script set style'.split(
    ' ',
  ),
);

/** Attributes that hold code, styles, markup, lists of URLs or security settings. */
const forbiddenAttributes: ReadonlySet<string> = new Set(
  'archive http-equiv imagesrcset integrity nonce ping sandbox srcdoc srcset style'.split(' '),
);

const urlAttributes: ReadonlySet<string> = new Set(
  'action background cite classid codebase data dynsrc formaction href icon longdesc lowsrc manifest poster profile src usemap'.split(
    ' ',
  ),
);

/** Namespaces, and attributes that Vue, Alpine, Angular or htmx evaluate. */
const ofFramework = /^(?:xml|v-|x-|ng-|hx-)/;

/**
 * What may be written into an attribute (names in lower case, the element's too). Names we do not know are judged by
 * what they contain, as Go's html/template does. A `?` marks a name that differs between branches.
 */
export function attributeKind(element: string, attribute: string): AttributeKind {
  const bareElement = element.slice(element.lastIndexOf(':') + 1);
  const bare = attribute.slice(attribute.lastIndexOf(':') + 1);
  if (activeElements.has(bareElement) || forbiddenAttributes.has(bare)) return 'forbidden';
  if (!/^[a-z][a-z0-9_.:-]*$/.test(attribute) || bare.startsWith('on') || ofFramework.test(attribute))
    return 'forbidden';
  return urlAttributes.has(bare) || /src|uri|url|href/.test(bare) ? 'url' : 'plain';
}
