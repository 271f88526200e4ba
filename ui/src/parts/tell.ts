import { notifications } from "@mantine/notifications";

/** A short word that something went well. */
export const tell = (message: string) => notifications.show({ message, color: "teal", autoClose: 3000 });

/** What went wrong, in the server's words; stays long enough to be read. */
export const tellProblem = (error: Error, title?: string) =>
  notifications.show({ title, message: error.message, color: "red", autoClose: 9000 });
