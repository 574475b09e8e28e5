// How this Worker declares its routes.

import { routeFor } from '../route.ts';
import type { ApiSettings } from './env.ts';

export const route = routeFor<ApiSettings>();
