import {
  IconActivity,
  IconCertificate,
  IconHeartbeat,
  IconHistory,
  IconId,
  IconListSearch,
  IconRouteAltLeft,
  IconSettings,
  IconTicket,
  IconUsers,
} from "@tabler/icons-react";
import type { Verb } from "../api/types";

/** The parts of the admin area, each with what somebody must be allowed for it to be of use. */
export const PLACES = [
  { to: "/admin/users", label: "Users", verb: "users.read", icon: IconUsers },
  { to: "/admin/invites", label: "Invites", verb: "users.write", icon: IconTicket },
  { to: "/admin/audit", label: "Audit log", verb: "audit.read", icon: IconListSearch },
  { to: "/admin/activity", label: "Activity", verb: "audit.read", icon: IconActivity },
  { to: "/admin/system", label: "System", verb: "settings.read", icon: IconHeartbeat },
  { to: "/admin/certificates", label: "Certificates", verb: "certificates.read", icon: IconCertificate },
  { to: "/admin/clients", label: "Client certificates", verb: "certificates.read", icon: IconId },
  { to: "/admin/relay", label: "Relay", verb: "relay.read", icon: IconRouteAltLeft },
  { to: "/admin/settings", label: "Settings", verb: "settings.read", icon: IconSettings },
  { to: "/admin/retention", label: "Data retention", verb: "settings.read", icon: IconHistory },
] as const satisfies readonly { to: string; label: string; verb: Verb; icon: typeof IconUsers }[];

/** Those that the person may use. */
export const placesFor = (can: (verb: Verb) => boolean) => PLACES.filter((place) => can(place.verb));
