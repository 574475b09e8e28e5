// How this Worker declares its routes.

import { routeFor } from '../route.ts';
import type { AuthSettings } from './env.ts';

export const route = routeFor<AuthSettings>();
