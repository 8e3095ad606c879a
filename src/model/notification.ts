export const priorities = ['low', 'medium', 'high', 'critical'] as const;
export type Priority = (typeof priorities)[number];

/** What an in-app notification says. */
export type NotificationContent = {
  readonly title: string;
  readonly message: string;
  readonly priority: Priority;
  readonly link: string | null;
};

/** A notification as it lies in a user's inbox. */
export type Notification = NotificationContent & {
  readonly id: string;
  readonly executionId: string;
  readonly createdAt: Date;
  readonly readAt: Date | null;
  readonly archivedAt: Date | null;
};
